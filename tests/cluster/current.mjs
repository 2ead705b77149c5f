// tests/cluster/current.mjs - a current ClickHouse behind the HTTP interface of a server.
//
//     node current.mjs MODULES FOLDER CLUSTER
//
// ClickHouse as a library (npm's chdb, in MODULES) has no interface of its own. This one answers
// what tallyd and tally ask, so that every statement they use is run by the version of today: they
// see a cluster of one shard, this process. Prints its port, then serves until it is killed.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

const [modules, folder, cluster] = process.argv.slice(2);
const { Session } = createRequire(path.join(modules, 'x.js'))('chdb');
const HERE = '<shard><replica><host>localhost</host><port>9000</port></replica></shard>';
fs.writeFileSync(path.join(folder, 'config.xml'), `<clickhouse><tcp_port>9000</tcp_port>
    <remote_servers><${cluster}>${HERE}</${cluster}></remote_servers></clickhouse>`);
const session = new Session(path.join(folder, 'data'),
    { connectionArgs: [`--config-file=${folder}/config.xml`] });
let files = 0;

async function run(sql, format = 'TabSeparated') {
    return Buffer.from((await session.queryAsync(sql, { format })).bytes());
}

function keep(data) {
    const name = path.join(folder, `rows-${files++}`);
    fs.writeFileSync(name, data);
    return name;
}

async function insert(sql, data, settings) {
    const [, into, format] = sql.match(/^\s*(INSERT INTO\s[^]*?)\sFORMAT\s+(\w+)\s*$/i);
    const name = keep(data);
    try {
        return await run(`${into} FROM INFILE '${name}'${settings} FORMAT ${format}`);
    } finally {
        fs.unlinkSync(name);
    }
}

async function select(sql, tables, settings, format) {
    const asked = sql.match(/\sFORMAT\s+(\w+)\s*;?\s*$/i);
    const text = asked ? sql.slice(0, asked.index) : sql;
    for (const [name, table] of tables) {
        const file = keep(table.data);
        await run(`CREATE TEMPORARY TABLE ${name} (${table.structure})`);
        if (table.data.length) {
            await run(`INSERT INTO ${name} FROM INFILE '${file}' FORMAT ${table.format}`);
        }
        fs.unlinkSync(file);
    }
    try {
        return await run(text + (/^\s*(SELECT|WITH)\b/i.test(text) ? settings : ''),
            asked ? asked[1] : format);
    } finally {
        for (const name of tables.keys()) {
            await run(`DROP TEMPORARY TABLE IF EXISTS ${name}`);
        }
    }
}

// Tables that come along: parts of multipart/form-data, described by NAME_structure, NAME_format.
function parts(body, type, parameters) {
    const tables = new Map();
    const mark = Buffer.from('--' + type.match(/boundary="?([^";]+)"?/)[1]);
    let at = body.indexOf(mark);
    for (;;) {
        const next = body.indexOf(mark, at + mark.length);
        if (next < 0) {
            return tables;
        }
        const part = body.subarray(at + mark.length + 2, next - 2);
        const split = part.indexOf('\r\n\r\n');
        const name = part.subarray(0, split).toString().match(/name="([^"]+)"/)[1];
        const types = parameters.get(`${name}_types`)?.split(',').map((one, i) => `_${i + 1} ${one}`);
        tables.set(name, {
            data: part.subarray(split + 4),
            structure: parameters.get(`${name}_structure`) ?? types.join(','),
            format: parameters.get(`${name}_format`) ?? 'TabSeparated',
        });
        at = next;
    }
}

const NOT_SETTINGS = /^(query|query_id|database|default_format|wait_end_of_query|buffer_size|session_id|user|password|stacktrace)$|_(structure|types|format)$/;

function settings_of(parameters) {
    const some = [...parameters].filter(([name]) => !NOT_SETTINGS.test(name));
    return some.length ? ' SETTINGS ' + some.map(([name, value]) =>
        `${name} = ${/^-?\d+$/.test(value) ? value : `'${value}'`}`).join(', ') : '';
}

async function answer(request, body) {
    const parameters = new URL(request.url, 'http://x').searchParams;
    const type = request.headers['content-type'] ?? '';
    const database = parameters.get('database') ?? 'default';
    let tables = new Map();
    if (type.startsWith('multipart/')) {
        tables = parts(body, type, parameters);
        body = tables.get('query')?.data ?? Buffer.alloc(0);
        tables.delete('query');
    }
    const lead = parameters.get('query');
    const head = body.subarray(0, 1000).toString('latin1').match(
        /^\s*INSERT INTO [^]*?FORMAT (?!Values)\w+[ \t]*(\n|$)/i);
    await run(`USE \`${database}\``);
    if (lead && /^\s*INSERT INTO/i.test(lead)) {
        return insert(lead, body, settings_of(parameters));
    }
    if (!lead && head) {
        return insert(head[0], body.subarray(head[0].length), settings_of(parameters));
    }
    const sql = (lead ?? '') + (lead && body.length ? '\n' : '') + body.toString();
    return select(sql, tables, settings_of(parameters),
        parameters.get('default_format') ?? 'TabSeparated');
}

let before = Promise.resolve(); // one question after the other
const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
        if (request.url === '/ping') {
            response.end('Ok.\n');
            return;
        }
        before = before.catch(() => null).then(() => answer(request, Buffer.concat(chunks))).then(
            (bytes) => response.end(bytes),
            (error) => {
                const code = error.message.match(/Code: (\d+)/)?.[1] ?? '1000';
                console.error(error.message, '\n', request.url, Buffer.concat(chunks).toString());
                response.writeHead(code === '60' || code === '81' ? 404 : 500,
                    { 'X-ClickHouse-Exception-Code': code });
                response.end(`${/Code:/.test(error.message) ? '' : `Code: ${code}. `}${error.message}\n`);
            });
    });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
