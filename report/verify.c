#include "report/verify.h"

#include "base/disk.h"

#include <fcntl.h>
#include <string.h>

bool verify_row(struct verify *check, const char *thing, const char *state, const char *detail,
                struct tally_err *err)
{
    struct sheet_value *at = sheet_add_row(&check->sheet, err);

    if (!at) {
        return false;
    }
    at[0] = sheet_name(thing);
    at[1] = sheet_name(state);
    at[2] = sheet_name(detail);
    check->checked++;
    return true;
}

bool verify_ok(struct verify *check, const char *thing, const char *detail, struct tally_err *err)
{
    return verify_row(check, thing, "ok", detail, err);
}

bool verify_damage(struct verify *check, const char *thing, const struct tally_err *damage,
                   struct tally_err *err)
{
    const char *detail = damage->place[0] != '\0'
                             ? sheet_printf(&check->sheet, "%s: %s", damage->place, damage->message)
                             : sheet_printf(&check->sheet, "%s", damage->message);

    check->damaged++;
    return verify_row(check, thing, "DAMAGED", detail, err);
}

bool verify_is_damage(const struct tally_err *err)
{
    return err->code == TALLY_CORRUPT || err->code == TALLY_UNSUPPORTED;
}

static const char *size_of(struct sheet *sheet, const struct rollup *rollup)
{
    unsigned long long bytes = rollup_bytes(rollup);
    unsigned long long patch = rollup_patch_bytes(rollup);

    return patch == 0 ? sheet_printf(sheet, "%llu bytes", bytes)
                      : sheet_printf(sheet, "%llu bytes and a patch of %llu", bytes - patch, patch);
}

bool verify_file(struct verify *check, const char *path, const char *thing,
                 struct rollup **out_rollup, struct tally_err *err)
{
    struct tally_err damage;
    struct rollup *rollup = rollup_open(AT_FDCWD, path, &damage);

    if (rollup && rollup_verify(rollup, &damage)) {
        char digest[DIGEST_TEXT_BYTES];
        const char *detail = sheet_printf(&check->sheet, "%s, generation %llu, digest %s",
                                          size_of(&check->sheet, rollup),
                                          (unsigned long long)rollup_generation(rollup),
                                          digest_format(rollup_digest(rollup), digest));
        *out_rollup = rollup;
        return verify_ok(check, thing, detail, err);
    }
    rollup_close(rollup);
    if (!verify_is_damage(&damage)) {
        *err = damage;
        return false;
    }
    return verify_damage(check, thing, &damage, err);
}

static bool check_stored(struct verify *check, const char *dir, const char *name,
                         verify_on_rollup *on_rollup, void *context, struct tally_err *err)
{
    struct rollup *rollup = NULL;
    const char *path = sheet_printf(&check->sheet, "%s/%s", dir, name);
    const char *thing = sheet_printf(&check->sheet, "rollup %s", name);

    if (!verify_file(check, path, thing, &rollup, err)) {
        return false;
    }
    bool done = !rollup || !on_rollup || on_rollup(context, check, rollup, name, err);
    rollup_close(rollup);
    return done;
}

bool verify_folder(struct verify *check, const char *dir, verify_on_rollup *on_rollup,
                   void *context, struct tally_err *err)
{
    struct disk_names names;
    bool done = true;

    if (!disk_list(AT_FDCWD, dir, &names, err)) {
        return false;
    }
    for (size_t i = 0; done && i < names.count; i++) {
        size_t bytes = strlen(names.name[i]);
        if (bytes > 7 && strcmp(names.name[i] + bytes - 7, ".rollup") == 0) {
            done = check_stored(check, dir, names.name[i], on_rollup, context, err);
        }
    }
    disk_names_done(&names);
    return done;
}

bool verify_same(const struct rollup *file, const struct rollup *again, const char *maker,
                 struct tally_err *err)
{
    char there[DIGEST_TEXT_BYTES];
    char here[DIGEST_TEXT_BYTES];

    return digest_equal(rollup_digest(again), rollup_digest(file)) ||
           err_set(err, TALLY_CORRUPT, "the file has digest %s, the %s gives %s",
                   digest_format(rollup_digest(file), there), maker,
                   digest_format(rollup_digest(again), here));
}
