// The shipped presets, on made-up files of each layout and on real ones where they are there.
//
// Real feeds: the folder that TALLYD_FEEDS names, ../shared/feeds otherwise; skipped without it.
#include "tests/unit/ingest_case.h"

#include "base/ini.h"

#include <fcntl.h>
#include <unistd.h>

struct loading {
    struct feed *feed;
    char key[128];
    char value[4096];
};

static bool flush(struct loading *loading, struct tally_err *err)
{
    bool ok = loading->key[0] == '\0' ||
              feed_set(loading->feed, loading->key, loading->value, "ingest/feeds", err);

    loading->key[0] = '\0';
    return ok;
}

static bool on_entry(void *context, const struct ini_entry *entry, struct tally_err *err)
{
    struct loading *loading = context;
    size_t used = strlen(loading->value);

    if (entry->continued) {
        snprintf(loading->value + used, sizeof loading->value - used, " %s", entry->value);
        return true;
    }
    if (!flush(loading, err)) {
        return false;
    }
    if (!loading->feed) {
        assert_int_equal(strncmp(entry->section, "feed ", 5), 0);
        loading->feed = feed_open(entry->section + 5, err);
    }
    snprintf(loading->key, sizeof loading->key, "%s", entry->key);
    snprintf(loading->value, sizeof loading->value, "%s", entry->value);
    return true;
}

static struct feed *load(const char *preset)
{
    struct loading loading = {0};
    struct tally_err err;
    char path[128];

    snprintf(path, sizeof path, "ingest/feeds/%s.conf", preset);
    if (!ini_read(path, on_entry, &loading, &err) || !flush(&loading, &err) ||
        !feed_check(loading.feed, &err)) {
        fail_msg("%s: %s [%s]", path, err.message, err.place);
    }
    assert_string_equal(feed_name(loading.feed), preset);
    return loading.feed;
}

static void reads(const char *preset, const char *text, const char *want)
{
    struct ingest_case test = {.limits = ingest_limits_default, .name = "x.csv"};

    test.feeds[test.feeds_count++] = load(preset);
    case_expect(&test, text, want);
    case_close(&test);
}

static void acled_layouts_since_2017(void **state)
{
    (void)state;
    reads(
        "acled",
        "event_id_cnty,event_date,year,time_precision,disorder_type,event_type,sub_event_type,"
        "actor1,assoc_actor_1,inter1,actor2,assoc_actor_2,inter2,interaction,civilian_targeting,"
        "iso,region,country,admin1,admin2,admin3,location,latitude,longitude,geo_precision,"
        "source,source_scale,notes,fatalities,tags,timestamp\n"
        "BNN0,16 May 2025,2025,1,D,Battles,S,A,,1,B,,2,12,C,160,R,X,Y,Z,,L,1.0,2.0,1,N,L,\"n, m\","
        "3,,1621482711\n",
        "+BNN0 2025-05-16..2025-05-16 r1 l2 rev=1621482711 [R|X|Y|Z|D|Battles|S|A|B|C] 3\n"
        "END 1 rows, 0 rejected\n");
    reads("acled",
          "GWNO,EVENT_ID_CNTY,EVENT_ID_NO_CNTY,EVENT_DATE,YEAR,TIME_PRECISION,EVENT_TYPE,ACTOR1,"
          "ALLY_ACTOR_1,INTER1,ACTOR2,ALLY_ACTOR_2,INTER2,INTERACTION,COUNTRY,ADMIN1,ADMIN2,ADMIN3,"
          "LOCATION,LATITUDE,LONGITUDE,GEO_PRECISION,SOURCE,NOTES,FATALITIES\n"
          "615,1416RTA,,18/04/2001,2001,1,V,P,,1,C,B,7,17,Algeria,T,D,,L,1,2,1,S,n,1\n",
          "+1416RTA 2001-04-18..2001-04-18 r1 l2 [|Algeria|T|D||V||P|C|] 1\n"
          "END 1 rows, 0 rejected\n");
    reads("acled",
          "data_id,event_id_cnty,event_date,event_type,actor1,actor2,country,admin1,admin2,"
          "fatalities,timestamp\n1,AFG1,31 January 2023,V,P,C,A,T,D,0,5\n",
          "+AFG1 2023-01-31..2023-01-31 r1 l2 rev=5 [|A|T|D||V||P|C|] 0\n"
          "END 1 rows, 0 rejected\n");
    reads("acled-deleted", "event_id_cnty,deleted_timestamp\nAFG1,1700000000\n",
          "-AFG1 rev=1700000000\nEND 1 rows, 0 rejected\n");
}

static void gtd_has_unknown_days_and_counts(void **state)
{
    (void)state;
    reads("gtd",
          "eventid,iyear,imonth,iday,country_txt,region_txt,provstate,attacktype1_txt,"
          "targtype1_txt,gname,nkill,nwound,nkillter\n"
          "197000000002,1970,0,0,Mexico,N,P,A,T,Unknown,1.0,,-99\n",
          "+197000000002 1970-01-01..1970-12-31 r1 l2 [N|Mexico|P||A|T||] 1 ? ? ?\n"
          "END 1 rows, 0 rejected\n");
}

// One GDELT row of that many columns: each holds its number, except those that mean something.
static void gdelt_row(char *text, size_t columns)
{
    text[0] = '\0';
    for (size_t i = 1; i <= columns; i++) {
        sprintf(text + strlen(text), "%s%s%zu", i > 1 ? "\t" : "", i == 7 ? "the \"A\" " : "",
                i == 2 ? (size_t)20130401 : i);
    }
    strcat(text, "\n");
}

static void gdelt_has_no_header(void **state)
{
    char text[1024];

    (void)state;
    for (size_t columns = 57; columns <= 58; columns++) {
        gdelt_row(text, columns);
        reads("gdelt1", text,
              "+1 2013-04-01..2013-04-01 r1 l1 rev=57 [52|53|the \"A\" 7|17|29|27|30] 32 33 34\n"
              "END 1 rows, 0 rejected\n");
    }
    gdelt_row(text, 61);
    reads("gdelt2", text,
          "+1 2013-04-01..2013-04-01 r1 l1 rev=60 [54|55|the \"A\" 7|17|29|27|30] 32 33 34\n"
          "END 1 rows, 0 rejected\n");
}

static void ibc_has_eleven_lines_of_notes(void **state)
{
    (void)state;
    reads("ibc",
          "1\n2\n3\n4 \"x\n5\n6\n7\n8\n9\n10\n\nIBC code,Start Date,End Date,Time,Location,Target,"
          "Weapons,Reported Minimum,Reported Maximum,Sources\n"
          "d1,1 Jan 2003,3 Jan 2003,PM,L,T,W,3,5,S\n",
          "+d1 2003-01-01..2003-01-03 r1 l13 [Iraq|L|T|W] 3 5\nEND 1 rows, 0 rejected\n");
}

static void gva_counts_victims_or_all(void **state)
{
    (void)state;
    reads("gva",
          "Incident ID,Incident Date,State,City Or County,Address,# Killed,# Injured,Operations\n"
          "7,\"January 1, 2018\",Ohio,X,A,1,2,N/A\n",
          "+7 2018-01-01..2018-01-01 r1 l2 [United States|Ohio|X] 1 2 ? ?\n"
          "END 1 rows, 0 rejected\n");
    reads("gva",
          "Incident ID,Incident Date,State,City Or County,Victims Killed,Victims Injured,"
          "Suspects Killed,Suspects Injured\n7,\"May 12, 2024\",Ohio,X,1,2,3,4\n",
          "+7 2024-05-12..2024-05-12 r1 l2 [United States|Ohio|X] 1 2 3 4\n"
          "END 1 rows, 0 rejected\n");
    reads("gva",
          "Incident ID,Incident Date,State,City Or County,Address,# Victims Killed,"
          "# Victims Injured,# Subjects-Suspects Killed,# Subjects-Suspects Injured\n"
          "7,\"May 12, 2022\",Ohio,X,A,1,2,3,4\n",
          "+7 2022-05-12..2022-05-12 r1 l2 [United States|Ohio|X] 1 2 3 4\n"
          "END 1 rows, 0 rejected\n");
}

// The export and the API tell an incident alike: same id, day, revision and texts.
static void chicago_is_the_same_from_the_api(void **state)
{
    static const char want[] = "+7 2022-07-29..2022-07-29 r1 l2 rev=20240418154059 [United States|"
                               "Illinois|Chicago|HOMICIDE|D|STREET|25|010] 1 1 0\n"
                               "END 1 rows, 0 rejected\n";

    (void)state;
    reads("chicago-crimes",
          "ID,Date,Primary Type,Description,Location Description,Arrest,Domestic,District,Ward,"
          "Updated On\n7,07/29/2022 11:39:00 PM,HOMICIDE,D,STREET,true,false,010,25,"
          "04/18/2024 03:40:59 PM\n",
          want);
    reads("chicago-crimes",
          "\"id\",\"date\",\"primary_type\",\"description\",\"location_description\",\"arrest\","
          "\"domestic\",\"district\",\"ward\",\"updated_on\"\n"
          "\"7\",\"2022-07-29T23:39:00.000\",\"HOMICIDE\",\"D\",\"STREET\",\"true\",\"false\","
          "\"010\",\"25\",\"2024-04-18T15:40:59.000\"\n",
          want);
}

static void nypd_is_the_same_from_the_api(void **state)
{
    static const char want[] = "+7 2024-12-31..2024-12-31 r1 l2 [United States|New York|New York|"
                               "BRONX|40|] 1 0 1\nEND 1 rows, 0 rejected\n";

    (void)state;
    reads("nypd-shootings",
          "INCIDENT_KEY,OCCUR_DATE,BORO,PRECINCT,LOCATION_DESC,STATISTICAL_MURDER_FLAG\n"
          "7,12/31/2024,BRONX,40,(null),Y\n",
          want);
    reads("nypd-shootings",
          "\"incident_key\",\"occur_date\",\"boro\",\"precinct\",\"location_desc\","
          "\"statistical_murder_flag\"\n"
          "\"7\",\"2024-12-31T00:00:00.000\",\"BRONX\",\"40\",\"(null)\",\"Y\"\n",
          want);
}

static void generic_needs_id_and_date_alone(void **state)
{
    (void)state;
    reads("generic", "id,date\nA-1,2020-10-24\n",
          "+A-1 2020-10-24..2020-10-24 r1 l2 [|||||] ? ?\nEND 1 rows, 0 rejected\n");
    reads("generic", "id,revision,date,province,target,killed,wounded\nA,2,2020-10-24,P,T,3,11\n",
          "+A 2020-10-24..2020-10-24 r1 l2 rev=2 [||P||T|] 3 11\nEND 1 rows, 0 rejected\n");
}

// --- real files ---

static ssize_t read_fd(void *context, void *data, size_t count)
{
    const int *fd = context;

    return read(*fd, data, count);
}

static void expect_real(const char *preset, const char *name, size_t rows_want,
                        size_t rejected_want, const char *measure, int64_t sum_want)
{
    const char *folder = getenv("TALLYD_FEEDS") ? getenv("TALLYD_FEEDS") : "../shared/feeds";
    char path[512];
    struct tally_err err;
    struct rows rows;
    struct ingest_turn turn = {.chunks = &rows, .chunks_max = 1};
    size_t rows_count = 0;
    int64_t sum = 0;
    enum ingest_step step;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        print_message("SKIPPED: %s is not there\n", path);
        skip();
    }
    struct feed *feed = load(preset);
    const struct feed *const feeds[] = {feed};
    int column = shape_find_measure(feed_shape(feed), measure);
    assert_true(column >= 0);
    rows_init(&rows);
    struct ingest *ingest = ingest_open(feeds, 1, name, &ingest_limits_default, read_fd, &fd, &err);
    do {
        step = ingest_next(ingest, &turn, &err);
        assert_true(step <= INGEST_END);
        rows_count += rows.count;
        for (size_t i = 0; i < rows.count; i++) {
            sum += rows_measures(&rows, i)[column];
        }
    } while (step == INGEST_CHUNK);
    assert_int_equal(rows_count, rows_want);
    assert_int_equal(ingest_summary(ingest)->rejected, rejected_want);
    assert_int_equal(sum, sum_want);
    ingest_close(ingest);
    rows_done(&rows);
    feed_close(feed);
    close(fd);
}

static void real_ucdp_files(void **state)
{
    (void)state;
    expect_real("ucdp-ged", "ucdp_ged_hdx_pak.csv", 6416, 0, "killed", 43225);
    expect_real("ucdp-ged", "ucdp_ged_hdx_col.csv", 4632, 0, "civilians", 6176);
    expect_real("ucdp-ged", "ucdp_ged_hdx_bgd.csv", 601, 0, "killed.high", 1824);
    expect_real("ucdp-ged", "ucdp_ged_hdx_ukr_r1_ged191.csv", 993, 0, "killed.low", 6088);
    expect_real("ucdp-candidate", "ucdp_ged_hdx_ukr_r2_ged201.csv", 1167, 0, "killed", 6875);
}

static void real_earthquake_files(void **state)
{
    (void)state;
    expect_real("usgs-earthquakes", "usgs_all_month_2016-04.csv", 8785, 0, "reviewed", 7949);
    // 48 of its 5,960 earthquakes were before the year 1.
    expect_real("noaa-significant-earthquakes", "noaa_significant_earthquakes_asof_2018-03.tsv",
                5912, 48, "wounded", 2648531);
}

static void real_city_files(void **state)
{
    (void)state;
    expect_real("chicago-crimes", "chicago_crimes_31st_st.csv", 949, 0, "arrests", 330);
    expect_real("nypd-shootings", "nypd_shootings_2019_ytd.csv", 607, 0, "killed", 137);
    expect_real("nypd-shootings", "nypd_shootings_2022_ytd_asof_0930.csv", 1045, 0, "wounded",
                1136);
}

static void real_gdelt_file(void **state)
{
    (void)state;
    expect_real("gdelt2", "gdelt2_events_20151027220000.tsv", 2116, 0, "mentions", 11628);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acled_layouts_since_2017),
        cmocka_unit_test(gtd_has_unknown_days_and_counts),
        cmocka_unit_test(gdelt_has_no_header),
        cmocka_unit_test(ibc_has_eleven_lines_of_notes),
        cmocka_unit_test(gva_counts_victims_or_all),
        cmocka_unit_test(chicago_is_the_same_from_the_api),
        cmocka_unit_test(nypd_is_the_same_from_the_api),
        cmocka_unit_test(generic_needs_id_and_date_alone),
        cmocka_unit_test(real_ucdp_files),
        cmocka_unit_test(real_earthquake_files),
        cmocka_unit_test(real_city_files),
        cmocka_unit_test(real_gdelt_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
