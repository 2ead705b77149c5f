// bench/stages.c - how fast one thread takes a CSV in, stage by stage, beside what it cannot beat.
//
//   read     read(2) through one reused buffer, to the end
//   ceiling  the same, and each 64 bytes are looked at once: records counted by their line feeds
//            outside of quotes, with nothing kept; nothing that looks at every byte is faster
//   libcsv   read(2), and every byte through libcsv, which hands over the fields of mapped columns
//   fields   the records of ingest/records.h: the fields of mapped columns, each with its place
//   rows     ingest as the daemon runs it: digest, fields, mapped rows
//
// Fields and rows come twice, with `parser = libcsv` as well. Each round takes every stage once,
// one after the other. Prints processor time as JSON, and what each stage saw: with either parser
// the same.
//
// The feed's lines are "key = value", comments and the section's title left out.
#include "ingest/header.h"
#include "ingest/ingest.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <csv.h>

enum { BUFFER_BYTES = 256 * 1024, ROUNDS_MAX = 99, WORD_BYTES = 64 };

struct counts {
    uint64_t records;
    uint64_t fields;
    uint64_t bytes; // of fields
};

struct stage {
    const char *name;
    void (*run)(const struct stage *stage, struct counts *counts);
    enum ingest_parser parser;
    double seconds[ROUNDS_MAX];
    struct counts counts;
};

static const char *path;
static struct feed *feed;
static char buffer[BUFFER_BYTES];

static int open_file(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        errx(EX_NOINPUT, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static size_t read_some(int fd, void *data, size_t count)
{
    ssize_t got = read(fd, data, count);

    if (got < 0) {
        errx(EX_IOERR, "%s: %s", path, strerror(errno));
    }
    return (size_t)got;
}

// --- what bounds the rest ---

static void run_read(const struct stage *stage, struct counts *counts)
{
    int fd = open_file();

    (void)stage;
    (void)counts;
    while (read_some(fd, buffer, sizeof buffer) > 0) {
    }
    close(fd);
}

// Records that end within whole words of 64 bytes. *inside: all ones within quotes.
typedef uint64_t count_records(const char *data, size_t words, uint64_t *inside);

static uint64_t count_portable(const char *data, size_t words, uint64_t *inside)
{
    uint64_t records = 0;

    for (size_t i = 0; i < words * WORD_BYTES; i++) {
        *inside ^= data[i] == '"' ? UINT64_MAX : 0;
        records += data[i] == '\n' && !*inside;
    }
    return records;
}

#if defined(__x86_64__)
#include <immintrin.h>

// Each bit becomes the parity of itself and all below it.
__attribute__((target("pclmul"))) static inline uint64_t parities(uint64_t bits)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)bits), _mm_set1_epi8(-1), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

__attribute__((target("avx2,pclmul,popcnt"))) static uint64_t equal_avx2(const char *data,
                                                                         char byte)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)data);
    __m256i high = _mm256_loadu_si256((const __m256i *)(data + 32));
    __m256i wanted = _mm256_set1_epi8(byte);

    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) << 32;
}

__attribute__((target("avx2,pclmul,popcnt"))) static uint64_t
count_avx2(const char *data, size_t words, uint64_t *inside)
{
    uint64_t records = 0;

    for (size_t i = 0; i < words; i++, data += WORD_BYTES) {
        uint64_t quoted = parities(equal_avx2(data, '"')) ^ *inside;
        *inside = (uint64_t)((int64_t)quoted >> 63);
        records += (uint64_t)__builtin_popcountll(equal_avx2(data, '\n') & ~quoted);
    }
    return records;
}

__attribute__((target("avx512bw,pclmul,popcnt"))) static uint64_t
count_avx512(const char *data, size_t words, uint64_t *inside)
{
    uint64_t records = 0;

    for (size_t i = 0; i < words; i++, data += WORD_BYTES) {
        __m512i word = _mm512_loadu_si512(data);
        uint64_t quotes = _mm512_cmpeq_epi8_mask(word, _mm512_set1_epi8('"'));
        uint64_t feeds = _mm512_cmpeq_epi8_mask(word, _mm512_set1_epi8('\n'));
        uint64_t quoted = parities(quotes) ^ *inside;
        *inside = (uint64_t)((int64_t)quoted >> 63);
        records += (uint64_t)__builtin_popcountll(feeds & ~quoted);
    }
    return records;
}
#endif

static count_records *best_count(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("pclmul")) {
        return count_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul")) {
        return count_avx2;
    }
#endif
    return count_portable;
}

static void run_ceiling(const struct stage *stage, struct counts *counts)
{
    count_records *count = best_count();
    int fd = open_file();
    uint64_t inside = 0;
    size_t got;

    (void)stage;
    while ((got = read_some(fd, buffer, sizeof buffer)) > 0) {
        size_t words = got / WORD_BYTES;
        counts->records += count(buffer, words, &inside);
    }
    close(fd);
}

// --- libcsv alone ---

struct picking {
    struct header_binding binding;
    size_t column;
    struct counts *counts;
    uint64_t mixed; // of the fields, so that nothing of them is left out
};

static inline void use(uint64_t *mixed, const void *data, size_t bytes)
{
    *mixed += bytes > 0 ? *(const unsigned char *)data + bytes : 1;
}

static void on_field(void *data, size_t bytes, void *context)
{
    struct picking *picking = context;
    size_t column = picking->column++;

    if (column < picking->binding.columns && picking->binding.slot[column] >= 0) {
        use(&picking->mixed, data, bytes);
        picking->counts->fields++;
        picking->counts->bytes += bytes;
    }
}

static void on_record(int terminator, void *context)
{
    struct picking *picking = context;

    (void)terminator;
    picking->column = 0;
    picking->counts->records++;
}

// --- records ---

static ssize_t pull(void *context, void *data, size_t count, struct tally_err *err)
{
    (void)err;
    return (ssize_t)read_some(*(int *)context, data, count);
}

// Behind the header, the columns bound.
static struct records *open_records(enum ingest_parser parser, int *fd,
                                    struct header_binding *binding)
{
    static struct ingest_limits limits;
    struct records_dialect dialect = {.delimiter = (unsigned char)feed->delimiter,
                                      .quoted = feed->quoted};
    const struct record *record;
    struct tally_err err;

    *fd = open_file();
    limits = ingest_limits_default;
    limits.parser = parser;
    struct records *records = records_open(dialect, &limits, pull, fd, &err);
    if (!records || records_next(records, &record, &err) != RECORDS_RECORD ||
        !header_bind(feed, record->fields, record->fields_count, binding, &err) ||
        !records_pick(records, binding->slot, binding->columns, binding->fields, &err)) {
        errx(EX_DATAERR, "%s: no header of this feed", path);
    }
    if (feed->headerless) {
        records_again(records);
    }
    return records;
}

static void run_libcsv(const struct stage *stage, struct counts *counts)
{
    struct picking picking = {.counts = counts};
    struct csv_parser parser;
    size_t got;
    int fd;

    records_close(open_records(stage->parser, &fd, &picking.binding));
    if (lseek(fd, 0, SEEK_SET) != 0 || csv_init(&parser, 0) != 0) {
        errx(EX_SOFTWARE, "libcsv cannot begin");
    }
    csv_set_delim(&parser, (unsigned char)feed->delimiter);
    csv_set_quote(&parser, feed->quoted ? CSV_QUOTE : '\0');
    csv_set_blk_size(&parser, 4096);
    while ((got = read_some(fd, buffer, sizeof buffer)) > 0) {
        if (csv_parse(&parser, buffer, got, on_field, on_record, &picking) != got) {
            errx(EX_DATAERR, "libcsv: %s", csv_strerror(csv_error(&parser)));
        }
    }
    csv_fini(&parser, on_field, on_record, &picking);
    csv_free(&parser);
    header_unbind(&picking.binding);
    close(fd);
}

static inline void use_fields(uint64_t *mixed, const struct text *fields, size_t count,
                              struct counts *counts)
{
    for (size_t i = 0; i < count; i++) {
        use(mixed, fields[i].at, fields[i].bytes);
        counts->bytes += fields[i].bytes;
    }
}

static void run_fields(const struct stage *stage, struct counts *counts)
{
    struct header_binding binding;
    const struct record *given;
    struct tally_err err;
    enum records_step step;
    uint64_t mixed = 0;
    size_t count;
    int fd;

    struct records *records = open_records(stage->parser, &fd, &binding);
    while ((step = records_next_few(records, &given, &count, &err)) == RECORDS_RECORD) {
        counts->records += count;
        counts->fields += count * binding.fields;
        for (size_t i = 0; i < count; i++) {
            use_fields(&mixed, given[i].fields, binding.fields, counts);
        }
    }
    if (step != RECORDS_END) {
        errx(EX_DATAERR, "%s: a record that cannot be read", path);
    }
    records_close(records);
    header_unbind(&binding);
    close(fd);
}

static ssize_t read_file(void *context, void *data, size_t count)
{
    return read(*(int *)context, data, count);
}

static void run_rows(const struct stage *stage, struct counts *counts)
{
    const struct feed *const feeds[] = {feed};
    struct ingest_limits limits = ingest_limits_default;
    struct tally_err err;
    struct rows rows;
    struct ingest_turn turn = {.chunks = &rows, .chunks_max = 1};
    enum ingest_step step;
    int fd = open_file();

    limits.parser = stage->parser;
    limits.chunk_rows = 65536; // as the daemon's configuration has it
    limits.chunk_bytes = (size_t)8 << 20;
    rows_init(&rows);
    struct ingest *ingest = ingest_open(feeds, 1, path, &limits, read_file, &fd, &err);
    do {
        step = ingest ? ingest_next(ingest, &turn, &err) : INGEST_FAILED;
        counts->records += rows.count;
        for (size_t i = 0; i < rows.count; i++) {
            counts->bytes += rows.row[i].id.bytes + (uint64_t)rows.row[i].first_day;
        }
    } while (step == INGEST_CHUNK);
    if (step != INGEST_END) {
        errx(EX_DATAERR, "%s: %s", path, err.message);
    }
    ingest_close(ingest);
    rows_done(&rows);
    close(fd);
}

// --- rounds ---

static struct stage stages[] = {
    {.name = "read", .run = run_read},
    {.name = "ceiling", .run = run_ceiling},
    {.name = "libcsv", .run = run_libcsv, .parser = INGEST_LIBCSV},
    {.name = "fields", .run = run_fields},
    {.name = "fields-libcsv", .run = run_fields, .parser = INGEST_LIBCSV},
    {.name = "rows", .run = run_rows},
    {.name = "rows-libcsv", .run = run_rows, .parser = INGEST_LIBCSV},
};
enum { STAGES = sizeof stages / sizeof *stages };

static void take_stage(struct stage *stage, size_t round)
{
    struct timespec start;
    struct timespec end;

    stage->counts = (struct counts){0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    stage->run(stage, &stage->counts);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    stage->seconds[round] =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}

static void read_feed(const char *lines_path)
{
    FILE *file = fopen(lines_path, "re");
    struct tally_err err;
    char line[1024];

    feed = feed_open("bench", &err);
    if (!file || !feed) {
        errx(EX_NOINPUT, "%s: cannot be read", lines_path);
    }
    while (fgets(line, sizeof line, file)) {
        char *value = strstr(line, " =");
        if (!value || line[0] == ';') {
            continue;
        }
        *value = '\0';
        value += 2 + strspn(value + 2, " ");
        value[strcspn(value, "\n")] = '\0';
        if (!feed_set(feed, line, value, "", &err)) {
            errx(EX_DATAERR, "%s: %s", lines_path, err.message);
        }
    }
    fclose(file);
    if (!feed_check(feed, &err)) {
        errx(EX_DATAERR, "%s: %s", lines_path, err.message);
    }
}

static void print_stage(const struct stage *stage, size_t rounds)
{
    printf("%s\"%s\": {\"seconds\": [", stage == stages ? "" : ", ", stage->name);
    for (size_t i = 0; i < rounds; i++) {
        printf("%s%.6f", i ? ", " : "", stage->seconds[i]);
    }
    printf("], \"records\": %" PRIu64 ", \"fields\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
           stage->counts.records, stage->counts.fields, stage->counts.bytes);
}

int main(int argc, char **argv)
{
    size_t rounds = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;
    const char *only = argc >= 5 ? argv[4] : NULL;

    if (argc > 5 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_stages FILE FEED_LINES ROUNDS [STAGE]\n");
        return EX_USAGE;
    }
    path = argv[1];
    read_feed(argv[2]);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < STAGES; i++) {
            if (!only || strcmp(only, stages[i].name) == 0) {
                take_stage(&stages[i], round);
            }
        }
    }
    printf("{");
    for (size_t i = 0; i < STAGES; i++) {
        print_stage(&stages[i], rounds);
    }
    printf("}\n");
    feed_close(feed);
    return EX_OK;
}
