// bench/lookup.mjs - the look-ups of bench/lookup.c in DuckDB, warm and in process.
//
//     node lookup.mjs CELLS.parquet QUERIES DAYS THREADS
//
// Prints one line of JSON: `duckdb-table` has the cells in a table in memory, `duckdb-parquet`
// reads the file anew for each query, as DuckDB does (pages come from the page cache). Statements
// are prepared once. A group is found by its texts; zone maps work, since the cells are sorted. All
// groups at one date are added up within DuckDB: no rows cross into JavaScript.
import { DuckDBDateValue, DuckDBInstance } from '@duckdb/node-api';
import fs from 'node:fs';

// As in bench/queries.h.
const SLOW = 100, DATES = 5, PASSES = 5, OPENINGS = 5;

const [file, queriesFile, days, threads] = process.argv.slice(2);
const queries = fs.readFileSync(queriesFile, 'utf8').trimEnd().split('\n').slice(0, SLOW)
    .map((line) => line.split('\t'))
    .map(([, lastDay, ...texts]) => ({ lastDay: Number(lastDay), texts }));

const ONE = 'SELECT coalesce(sum(incidents), 0)::BIGINT, coalesce(sum(killed), 0)::BIGINT'
    + ' FROM cells WHERE country = ? AND admin1 = ? AND event_type = ? AND day BETWEEN ? AND ?';
const ALL = 'SELECT sum(incidents)::BIGINT, sum(killed)::BIGINT FROM (SELECT sum(incidents) AS'
    + ' incidents, sum(killed) AS killed FROM cells WHERE day BETWEEN ? AND ?'
    + ' GROUP BY country, admin1, event_type)';

// The median and the least of some times.
function stated(name, times, unit) {
    times.sort((a, b) => a - b);
    return { [name]: times[times.length >> 1] * unit, [`${name}_least`]: times[0] * unit };
}

function window(lastDay) {
    return [new DuckDBDateValue(lastDay - Number(days) + 1), new DuckDBDateValue(lastDay)];
}

async function open(kind) {
    const instance = await DuckDBInstance.create(':memory:', { threads });
    const connection = await instance.connect();
    await connection.run(`CREATE ${kind} cells AS SELECT * FROM '${file}'`);
    const one = await connection.prepare(ONE);
    const all = await connection.prepare(ALL);
    return { one, all, close() { connection.closeSync(); instance.closeSync(); } };
}

async function measure(prefix, statement, parameters) {
    const times = [];
    let incidents, killed;
    for (let pass = 0; pass <= PASSES; pass++) {
        incidents = killed = 0;
        for (const values of parameters) {
            const start = performance.now();
            statement.bind(values);
            const [row] = (await statement.runAndReadAll()).getRows();
            times.push(performance.now() - start);
            incidents += Number(row[0]);
            killed += Number(row[1]);
        }
    }
    return {
        times: times.slice(parameters.length),
        sums: { [`${prefix}_incidents`]: incidents, [`${prefix}_killed`]: killed },
    };
}

async function measureOpening(kind) {
    const times = [];
    for (let i = 0; i < OPENINGS; i++) {
        const start = performance.now();
        const opened = await open(kind);
        times.push(performance.now() - start);
        opened.close();
    }
    return times;
}

async function look(kind) {
    const opened = await open(kind);
    const ones = queries.map((query) => [...query.texts, ...window(query.lastDay)]);
    const dates = queries.slice(0, DATES).map((query) => window(query.lastDay));
    const one = await measure('slow', opened.one, ones);
    const all = await measure('all', opened.all, dates);
    opened.close();
    return {
        ...stated('one_us', one.times, 1000), ...one.sums,
        ...stated('all_ms', all.times, 1), ...all.sums,
        ...stated('open_ms', await measureOpening(kind), 1),
    };
}

console.log(JSON.stringify({
    'duckdb-table': await look('TABLE'),
    'duckdb-parquet': await look('VIEW'),
}));
