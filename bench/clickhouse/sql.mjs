// bench/clickhouse/sql.mjs - runs a file of SQL statements in ClickHouse, as one process that can be
// measured. As bench/sql.mjs does it for DuckDB.
//
//     node sql.mjs FOLDER THREADS STATEMENTS.sql [FILE-TO-SYNC...]
//
// FOLDER keeps its tables, and is closed before this ends. Statements are separated by a line that
// holds only ";". The rows of the last one are printed as JSON, one array.
import { Session } from 'chdb';
import fs from 'node:fs';
import path from 'node:path';

const [folder, threads, script, ...written] = process.argv.slice(2);
const statements = fs.readFileSync(script, 'utf8').split(/^;$/m).filter((text) => text.trim());

const session = new Session(folder);
session.query(`SET max_threads = ${threads}`);
let rows = '';
for (const statement of statements) {
    rows = session.query(statement, 'JSONEachRow');
}
session.close();
console.log(`[${rows.trim().split('\n').join(',')}]`);

for (const name of written) {
    for (const file of [name, path.dirname(name)]) {
        const fd = fs.openSync(file, 'r');
        fs.fsyncSync(fd);
        fs.closeSync(fd);
    }
}
