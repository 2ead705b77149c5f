// bench/generate.c - makes incident feeds to measure with. Every name and number is made up.
//
//   base file       row i = incident(seed, i)                    i = 0 .. rows-1
//   revision file   some rows = incident(seed, an earlier i) with its corrections, the rest are
//                   new incidents of the last week, ids from where the files before it ended
//
// An incident is a pure function of (seed, i), so that a revision file can write any earlier row
// again and change only what a re-export changes: the dead, now and then the day or the place, and
// in the ACLED shape always a newer timestamp.
//
// Shapes (rows after the header):
//   acled     31 columns, quoted notes with commas, doubled quotes and a rare line break,
//             about 561 bytes a row, `timestamp` is the revision
//   compact   8 columns, no quotes, about 99 bytes a row, no revision: the later batch wins
//
// Both have 200 countries of 15 admin1 and 6 event types: 18,000 groups over 2,500 days, the
// busiest country about 100 times as busy as the quietest, and activity that grows with time.
#include "base/day.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
    COUNTRIES = 200,
    REGIONS = 8,
    ADMIN1_EACH = 15,
    ACTORS = 4000,
    WORD_BYTES = 20, // four syllables at most
    NAME_BYTES = 48,
    DAYS = 2500,
    DAY_LAST = 20452, // 2025-12-30
    PICKS = 65536,
    LINE_BYTES_MAX = 8192,
    BUFFER_BYTES = 1 << 20,
};

// Types and sub-types as ACLED's codebook names them.
enum event_type { BATTLES, VIOLENCE, EXPLOSIONS, PROTESTS, RIOTS, STRATEGIC, EVENT_TYPES };

static const char *const event_type_names[EVENT_TYPES] = {
    "Battles", "Violence against civilians", "Explosions/Remote violence", "Protests",
    "Riots",   "Strategic developments",
};

static const char *const disorder_names[EVENT_TYPES] = {
    "Political violence", "Political violence", "Political violence",
    "Demonstrations",     "Demonstrations",     "Strategic developments",
};

static const struct sub_type {
    enum event_type type;
    const char *name;
} sub_types[] = {
    {BATTLES, "Armed clash"},
    {PROTESTS, "Peaceful protest"},
    {VIOLENCE, "Attack"},
    {EXPLOSIONS, "Shelling/artillery/missile attack"},
    {RIOTS, "Mob violence"},
    {STRATEGIC, "Looting/property destruction"},
    {EXPLOSIONS, "Air/drone strike"},
    {RIOTS, "Violent demonstration"},
    {VIOLENCE, "Abduction/forced disappearance"},
    {EXPLOSIONS, "Remote explosive/landmine/IED"},
    {PROTESTS, "Protest with intervention"},
    {STRATEGIC, "Disrupted weapons use"},
    {BATTLES, "Government regains territory"},
    {VIOLENCE, "Sexual violence"},
    {STRATEGIC, "Change to group/activity"},
    {BATTLES, "Non-state actor overtakes territory"},
    {EXPLOSIONS, "Grenade"},
    {STRATEGIC, "Arrests"},
    {PROTESTS, "Excessive force against protesters"},
    {EXPLOSIONS, "Suicide bomb"},
    {STRATEGIC, "Other"},
};
enum { SUB_TYPES = sizeof sub_types / sizeof *sub_types };

static const char *const inter_names[] = {
    "State forces", "Rebel group", "Political militia", "Identity militia",
    "Rioters",      "Protesters",  "Civilians",         "External/Other forces",
};
enum { INTERS = sizeof inter_names / sizeof *inter_names };

static const char *const syllables[] = {
    "kar", "dor", "mish", "sel", "va",  "tun", "rin", "bek", "lor", "nas", "pel",
    "gul", "hin", "zar",  "mo",  "wen", "tal", "ist", "fur", "ran", "zeb", "bor",
};
enum { SYLLABLES = sizeof syllables / sizeof *syllables };

static const char *const note_words[] = {
    "gunmen",    "opened",  "fire",      "on",       "a",          "patrol",   "at",
    "the",       "bridge",  "south",     "of",       "town",       "killing",  "two",
    "soldiers",  "and",     "injuring",  "several",  "bystanders", "who",      "had",
    "gathered",  "for",     "weekly",    "market",   "witnesses",  "said",     "while",
    "officials", "gave",    "no",        "figure",   "a",          "roadside", "bomb",
    "struck",    "bus",     "in",        "district", "shells",     "landed",   "close",
    "to",        "school",  "residents", "left",     "their",      "homes",    "overnight",
    "crowd",     "marched", "against",   "rising",   "prices",     "police",   "dispersed",
    "it",        "with",    "water",     "cannon",   "hospital",   "later",    "confirmed",
    "deaths",
};
enum { NOTE_WORDS = sizeof note_words / sizeof *note_words };

static const char acled_header[] =
    "event_id_cnty,event_date,year,time_precision,disorder_type,event_type,sub_event_type,actor1,"
    "assoc_actor_1,inter1,actor2,assoc_actor_2,inter2,interaction,civilian_targeting,iso,region,"
    "country,admin1,admin2,admin3,location,latitude,longitude,geo_precision,source,source_scale,"
    "notes,fatalities,tags,timestamp\n";
static const char compact_header[] = "id,date,country,admin1,actor,event_type,killed,wounded\n";

// A sequence of random numbers that depends on its seed alone.
struct dice {
    uint64_t state;
};

static uint64_t scramble(uint64_t value)
{
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdU;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53U;
    return value ^ (value >> 33);
}

static struct dice dice_of(uint64_t seed, uint64_t number)
{
    return (struct dice){scramble(seed * 0x9e3779b97f4a7c15U + number)};
}

static uint32_t roll(struct dice *dice, uint32_t sides)
{
    dice->state += 0x9e3779b97f4a7c15U;
    return (uint32_t)(((scramble(dice->state) >> 32) * sides) >> 32);
}

static bool chance(struct dice *dice, uint32_t percent)
{
    return roll(dice, 100) < percent;
}

// Low numbers are more likely: the density falls as 1/sqrt.
static uint32_t roll_low(struct dice *dice, uint32_t sides)
{
    uint64_t part = roll(dice, PICKS);
    return (uint32_t)((part * part / PICKS * sides) / PICKS);
}

// Mostly 0, else a tail with one value in eight doubling to hundreds, as counts of dead are.
static uint32_t roll_casualties(struct dice *dice)
{
    uint32_t scale = 1;

    if (!chance(dice, 22)) {
        return 0;
    }
    while (scale < 512 && chance(dice, 42)) {
        scale *= 2;
    }
    return scale + roll(dice, scale);
}

// Names, made once; two runs make the same.
struct world {
    char country[COUNTRIES][NAME_BYTES];
    char region[REGIONS][NAME_BYTES];
    char admin1[COUNTRIES * ADMIN1_EACH][NAME_BYTES];
    char actor[ACTORS][NAME_BYTES];
    char date[DAYS][DAY_TEXT_BYTES];
    uint16_t country_picks[PICKS]; // a random entry is a country, by its weight
    uint16_t actor_picks[PICKS];
};

static void make_word(struct dice *dice, char word[WORD_BYTES])
{
    uint32_t count = 2 + roll(dice, 3);

    word[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        strcat(word, syllables[roll(dice, SYLLABLES)]);
    }
    word[0] = (char)(word[0] - 'a' + 'A');
}

// Entry `rank` gets a share of 1 / (rank + flatten / 2); at least one pick each.
static void make_picks(uint16_t picks[PICKS], uint32_t count, uint32_t flatten)
{
    uint64_t weights = 0;
    uint64_t so_far = 0;
    uint32_t pick = 0;

    for (uint32_t rank = 0; rank < count; rank++) {
        weights += (1U << 30) / (2 * rank + flatten);
    }
    for (uint32_t rank = 0; rank < count; rank++) {
        so_far += (1U << 30) / (2 * rank + flatten);
        do {
            picks[pick++] = (uint16_t)rank;
        } while (pick < so_far * PICKS / weights && pick < PICKS - (count - rank - 1));
    }
    while (pick < PICKS) {
        picks[pick++] = (uint16_t)(count - 1);
    }
}

// Numbers in the names keep them apart.
static void make_world(struct world *world)
{
    static const char *const sides[REGIONS] = {"Northern", "Western", "South Eastern", "Central",
                                               "Eastern",  "Inner",   "North Western", "Southern"};
    static const char *const actors[] = {"%s Communal Militia (%u)", "Armed Forces of %s (%u-)",
                                         "Unidentified %s Group %u", "Union of %s Workers %u"};
    struct dice dice = dice_of(0, 0);
    char word[WORD_BYTES];

    for (uint32_t i = 0; i < REGIONS; i++) {
        snprintf(world->region[i], NAME_BYTES, "%s Lands", sides[i]);
    }
    for (uint32_t i = 0; i < COUNTRIES; i++) {
        make_word(&dice, word);
        snprintf(world->country[i], NAME_BYTES, i % 6 == 5 ? "%s Rep %u" : "%s%u", word, i + 1);
    }
    for (uint32_t i = 0; i < COUNTRIES * ADMIN1_EACH; i++) {
        make_word(&dice, word);
        snprintf(world->admin1[i], NAME_BYTES, "%s%u", word, i + 1);
    }
    for (uint32_t i = 0; i < ACTORS; i++) {
        make_word(&dice, word);
        snprintf(world->actor[i], NAME_BYTES, actors[i % 4], word, i + 1);
    }
    for (int32_t i = 0; i < DAYS; i++) {
        day_format_iso(DAY_LAST - DAYS + 1 + i, world->date[i]);
    }
    make_picks(world->country_picks, COUNTRIES, 3);
    make_picks(world->actor_picks, ACTORS, 6);
}

struct incident {
    uint64_t id;
    uint32_t id_country; // its code stays in the id when a revision moves the place
    uint32_t country;
    uint32_t admin1; // over all countries
    uint32_t actor;
    uint32_t day; // 0 is the first of DAYS
    const struct sub_type *sub_type;
    uint32_t killed;
    uint32_t wounded;
    uint64_t timestamp; // seconds since 1970
    struct dice rest;   // decides what nobody adds up: notes, sources, places
};

static uint64_t day_timestamp(uint32_t day)
{
    return (uint64_t)(DAY_LAST - DAYS + 1 + (int32_t)day) * 86400;
}

static struct incident make_incident(const struct world *world, uint64_t seed, uint64_t id)
{
    struct dice dice = dice_of(seed, id);
    struct incident made = {.id = id};
    uint32_t one = roll(&dice, DAYS);
    uint32_t other = roll(&dice, DAYS);

    made.day = chance(&dice, 48) || one > other ? one : other; // the last days are busiest
    made.country = world->country_picks[roll(&dice, PICKS)];
    made.id_country = made.country;
    made.admin1 = made.country * ADMIN1_EACH + roll_low(&dice, ADMIN1_EACH);
    made.actor = world->actor_picks[roll(&dice, PICKS)];
    made.sub_type = &sub_types[(roll_low(&dice, SUB_TYPES) + made.country * 5) % SUB_TYPES];
    made.killed = roll_casualties(&dice);
    made.wounded = roll_casualties(&dice);
    made.timestamp = day_timestamp(made.day) + 86400 + roll(&dice, 30 * 86400);
    made.rest = dice;
    return made;
}

// What the `revision`-th file says of an incident that an earlier file holds.
static void revise(struct incident *incident, uint64_t seed, uint64_t revision)
{
    struct dice dice = dice_of(seed + revision, incident->id);

    incident->killed += 1 + roll(&dice, 4);
    if (chance(&dice, 12)) {
        uint32_t back = 1 + roll(&dice, 4);
        incident->day -= incident->day < back ? incident->day : back;
    }
    if (chance(&dice, 2)) {
        incident->country = (incident->country + 1) % COUNTRIES;
        incident->admin1 = (incident->admin1 + ADMIN1_EACH) % (COUNTRIES * ADMIN1_EACH);
    }
    incident->timestamp = day_timestamp(DAYS) + revision * 7 * 86400 + roll(&dice, 86400);
}

static void make_recent(struct incident *incident)
{
    incident->day = DAYS - 1 - incident->day % 7;
    incident->timestamp = day_timestamp(incident->day) + 86400;
}

struct out {
    size_t used;
    char data[BUFFER_BYTES];
};

static void put_bytes(struct out *out, const char *bytes, size_t count)
{
    memcpy(out->data + out->used, bytes, count);
    out->used += count;
}

static void put_char(struct out *out, char byte)
{
    out->data[out->used++] = byte;
}

static void put_text(struct out *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

static void put_number(struct out *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
    } while ((number /= 10) != 0);
    put_bytes(out, digits + at, sizeof digits - at);
}

// One field and the comma behind it.
static void put_text_field(struct out *out, const char *text)
{
    put_text(out, text);
    put_char(out, ',');
}

static void put_number_field(struct out *out, uint64_t number)
{
    put_number(out, number);
    put_char(out, ',');
}

static void put_degrees_field(struct out *out, struct dice *dice, uint32_t degrees)
{
    if (chance(dice, 40)) {
        put_char(out, '-');
    }
    put_number(out, roll(dice, degrees));
    put_char(out, '.');
    put_number_field(out, 1000 + roll(dice, 9000));
}

static void put_compact(struct out *out, const struct world *world, const struct incident *row)
{
    put_number_field(out, row->id);
    put_text_field(out, world->date[row->day]);
    put_text_field(out, world->country[row->country]);
    put_text_field(out, world->admin1[row->admin1]);
    put_text_field(out, world->actor[row->actor]);
    put_text_field(out, event_type_names[row->sub_type->type]);
    put_number_field(out, row->killed);
    put_number(out, row->wounded);
    put_char(out, '\n');
}

// assoc_actor_1 .. interaction: who fought whom.
static void put_actors(struct out *out, const struct world *world, const struct incident *row,
                       struct dice *dice)
{
    uint32_t rival = world->actor_picks[roll(dice, PICKS)];
    bool has_rival = chance(dice, 65);
    const char *inter1 = inter_names[row->actor % INTERS];
    const char *inter2 = inter_names[rival % INTERS];

    put_text_field(out, world->actor[row->actor]);
    put_text_field(out, chance(dice, 25) ? world->actor[roll(dice, ACTORS)] : "");
    put_text_field(out, inter1);
    put_text_field(out, has_rival ? world->actor[rival] : "");
    put_text_field(out, "");
    put_text_field(out, has_rival ? inter2 : "");
    put_text(out, inter1);
    put_text(out, has_rival ? "-" : " only");
    put_text_field(out, has_rival ? inter2 : "");
}

// iso .. geo_precision: where it was.
static void put_place(struct out *out, const struct world *world, const struct incident *row,
                      struct dice *dice)
{
    char town[WORD_BYTES];

    make_word(dice, town);
    put_number_field(out, row->country * 4 + 4);
    put_text_field(out, world->region[row->country % REGIONS]);
    put_text_field(out, world->country[row->country]);
    put_text_field(out, world->admin1[row->admin1]);
    put_text_field(out, town);
    put_text_field(out, chance(dice, 50) ? town : "");
    put_text(out, town);
    put_text_field(out, chance(dice, 10) ? " - Old Town" : "");
    put_degrees_field(out, dice, 60);
    put_degrees_field(out, dice, 180);
    put_number_field(out, 1 + roll(dice, 3));
}

static void put_source(struct out *out, struct dice *dice)
{
    put_text(out, "\"Daily Courier ");
    put_number(out, roll(dice, 900));
    if (chance(dice, 30)) {
        put_text(out, "; Local Wire, ");
        put_number(out, roll(dice, 300));
    }
    put_text(out, chance(dice, 50) ? "\",National," : "\",Subnational-National,");
}

// Always quoted: commas in most, a quotation in some, a line break in about one of 90.
static void put_notes(struct out *out, const char *date, struct dice *dice)
{
    uint32_t bytes = 89 + roll(dice, 230);
    uint32_t quoted_word = chance(dice, 35) ? roll(dice, 15) : UINT32_MAX;
    uint32_t broken_word = roll(dice, 3000);
    size_t end = out->used + bytes;

    put_text(out, "\"On ");
    put_text(out, date);
    put_char(out, ',');
    for (uint32_t word = 0; out->used < end; word++) {
        put_char(out, word == broken_word ? '\n' : ' ');
        put_text(out, word == quoted_word ? "\"\"" : "");
        put_text(out, note_words[roll(dice, NOTE_WORDS)]);
        put_text(out, word == quoted_word ? "\"\"" : "");
        put_text(out, chance(dice, 6) ? "," : "");
    }
    put_text(out, ".\",");
}

static void put_acled(struct out *out, const struct world *world, const struct incident *row)
{
    struct dice dice = row->rest;
    enum event_type type = row->sub_type->type;
    const char *date = world->date[row->day];
    uint32_t code = row->id_country;

    put_char(out, (char)('A' + code / 26));
    put_char(out, (char)('A' + code % 26));
    put_char(out, (char)('A' + code * 11 % 26));
    put_number_field(out, row->id);
    put_text_field(out, date);
    put_bytes(out, date, 4);
    put_char(out, ',');
    put_number_field(out, 1 + roll(&dice, 3));
    put_text_field(out, disorder_names[type]);
    put_text_field(out, event_type_names[type]);
    put_text_field(out, row->sub_type->name);
    put_actors(out, world, row, &dice);
    put_text_field(out, type == VIOLENCE ? "Civilian targeting" : "");
    put_place(out, world, row, &dice);
    put_source(out, &dice);
    put_notes(out, date, &dice);
    put_number_field(out, row->killed);
    put_text_field(out, chance(&dice, 25) ? "crowd size=no report" : "");
    put_number(out, row->timestamp);
    put_char(out, '\n');
}

struct options {
    bool compact;
    uint64_t rows;
    uint64_t seed;
    uint64_t over;     // a revision file over so many incidents; 0: a base file
    uint64_t revision; // which revision file, from 1
    uint64_t percent;  // of its rows that revise; the rest are new
};

// Row `i` of the file. Revised ids are spread evenly over all earlier ones and never repeat
// within a file: each lies in a stretch of its own.
static struct incident make_row(const struct world *world, const struct options *options,
                                uint64_t i)
{
    uint64_t revised = options->over == 0 ? 0 : options->rows * options->percent / 100;
    uint64_t before = i * revised / options->rows;
    uint64_t after = (i + 1) * revised / options->rows;
    struct incident made;

    if (options->over == 0) {
        return make_incident(world, options->seed, i);
    }
    if (after > before) {
        uint64_t stretch = options->over / revised;
        struct dice dice = dice_of(options->revision, before);
        uint64_t id = before * stretch + roll(&dice, (uint32_t)stretch);
        made = make_incident(world, options->seed, id);
        revise(&made, options->seed, options->revision);
        return made;
    }
    uint64_t new_each = options->rows - revised;
    uint64_t id = options->over + (options->revision - 1) * new_each + (i - before);
    made = make_incident(world, options->seed, id);
    make_recent(&made);
    return made;
}

static bool flush(struct out *out)
{
    bool wrote = fwrite(out->data, 1, out->used, stdout) == out->used;
    out->used = 0;
    return wrote;
}

static bool write_file(const struct world *world, const struct options *options, struct out *out)
{
    put_text(out, options->compact ? compact_header : acled_header);
    for (uint64_t i = 0; i < options->rows; i++) {
        struct incident row = make_row(world, options, i);
        if (options->compact) {
            put_compact(out, world, &row);
        } else {
            put_acled(out, world, &row);
        }
        if (out->used > BUFFER_BYTES - LINE_BYTES_MAX && !flush(out)) {
            return false;
        }
    }
    return flush(out) && fflush(stdout) == 0;
}

static int usage(FILE *to, int code)
{
    fputs("usage: bench_generate [--shape acled|compact] [--rows N] [--seed S]\n"
          "       bench_generate ... --over BASE_ROWS [--revision K] [--percent P]\n"
          "\n"
          "Writes a made-up incident feed as CSV to the standard output; the same options give\n"
          "the same bytes. With --over, the K-th revision file over a base file of BASE_ROWS rows\n"
          "and the same seed: P percent of its rows revise (default 80), the rest are new.\n",
          to);
    return code;
}

static bool parse_number(const char *text, uint64_t *out_number)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-') {
        return false;
    }
    *out_number = number;
    return true;
}

static bool parse_shape(const char *text, bool *out_compact)
{
    *out_compact = strcmp(text, "compact") == 0;
    return *out_compact || strcmp(text, "acled") == 0;
}

// 0 to go on, else -1 or (after --help) 1.
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"shape", required_argument, NULL, 's'},    {"rows", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 'e'},     {"over", required_argument, NULL, 'o'},
        {"revision", required_argument, NULL, 'k'}, {"percent", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    bool good = true;

    for (int option; good && (option = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        switch (option) {
        case 's':
            good = parse_shape(optarg, &options->compact);
            break;
        case 'r':
            good = parse_number(optarg, &options->rows);
            break;
        case 'e':
            good = parse_number(optarg, &options->seed);
            break;
        case 'o':
            good = parse_number(optarg, &options->over);
            break;
        case 'k':
            good = parse_number(optarg, &options->revision) && options->revision > 0;
            break;
        case 'p':
            good = parse_number(optarg, &options->percent) && options->percent <= 100;
            break;
        case 'h':
            return 1;
        default:
            good = false;
            break;
        }
    }
    // A file cannot revise more incidents than there are; row arithmetic stays within 64 bits.
    bool fits = options->rows > 0 && options->rows <= UINT32_MAX && options->over <= UINT32_MAX &&
                (options->over == 0 || options->rows * options->percent / 100 <= options->over);
    return good && fits && optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options = {.rows = 1000, .seed = 1, .revision = 1, .percent = 80};
    int parsed = parse_options(argc, argv, &options);

    if (parsed != 0) {
        return parsed < 0 ? usage(stderr, EX_USAGE) : usage(stdout, EX_OK);
    }
    struct world *world = calloc(1, sizeof *world);
    struct out *out = calloc(1, sizeof *out);
    if (world == NULL || out == NULL) {
        perror("bench_generate");
        return EX_OSERR;
    }
    make_world(world);
    bool wrote = write_file(world, &options, out);
    if (!wrote) {
        perror("bench_generate: write");
    }
    free(out);
    free(world);
    return wrote ? EX_OK : EX_IOERR;
}
