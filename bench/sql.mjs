// bench/sql.mjs - runs a file of SQL statements in DuckDB, as one process that can be measured.
//
//     node sql.mjs DATABASE|:memory: THREADS STATEMENTS.sql [FILE-TO-SYNC...]
//
// Statements are separated by a line that holds only ";". Of each that begins with "-- timed", its
// milliseconds are printed on a line; behind them the rows of the last one, as JSON. Files that
// DuckDB writes without syncing (COPY ... TO) are synced here, with their directory: the other
// rivals end with their figures safe from a power cut, so this one does too.
import { DuckDBInstance } from '@duckdb/node-api';
import fs from 'node:fs';
import path from 'node:path';

function sync(name) {
    const fd = fs.openSync(name, 'r');
    fs.fsyncSync(fd);
    fs.closeSync(fd);
}

const [database, threads, script, ...written] = process.argv.slice(2);
const statements = fs.readFileSync(script, 'utf8').split(/^;$/m).filter((text) => text.trim());

const instance = await DuckDBInstance.create(database, { threads });
const connection = await instance.connect();
let reader;
for (const statement of statements) {
    const begin = performance.now();
    reader = await connection.runAndReadAll(statement);
    if (statement.trim().startsWith('-- timed')) {
        console.log((performance.now() - begin).toFixed(3));
    }
}
console.log(JSON.stringify(reader.getRowObjectsJson()));
connection.closeSync();
instance.closeSync();

for (const name of written) {
    sync(name);
    sync(path.dirname(name));
}
