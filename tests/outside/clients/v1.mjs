// The TypeScript SDK of the older era: node v1.mjs URL KEY

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema
} from '@modelcontextprotocol/sdk/types.js';
import { answers, capabilities, steps } from './steps.mjs';

const [, , url, key] = process.argv;
const client = new Client({ name: 'typescript-1', version: '1' }, { capabilities });
client.setRequestHandler(ElicitRequestSchema, answers['elicitation/create']);
client.setRequestHandler(CreateMessageRequestSchema, answers['sampling/createMessage']);
client.setRequestHandler(ListRootsRequestSchema, answers['roots/list']);
const headers = key ? { Authorization: `Bearer ${key}` } : {};
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
await client.connect(transport);
const found = await steps(client, (each, params, options) =>
  each.callTool(params, undefined, options)
);
console.log(JSON.stringify({ version: transport.protocolVersion, ...found }));
await client.close();
