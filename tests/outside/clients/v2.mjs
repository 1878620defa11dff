// The TypeScript SDK of both eras: node v2.mjs URL KEY legacy|auto

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { answers, capabilities, steps } from './steps.mjs';

const [, , url, key, mode] = process.argv;
const client = new Client(
  { name: 'typescript-2', version: '1' },
  { capabilities, versionNegotiation: { mode } }
);
for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(method, answer);
const headers = key ? { Authorization: `Bearer ${key}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
await client.connect(transport);
const found = await steps(client, (each, params, options) => each.callTool(params, options));
console.log(JSON.stringify({ version: client.getNegotiatedProtocolVersion(), ...found }));
await client.close();
