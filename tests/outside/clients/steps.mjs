// What both clients do, by the one they are given; they differ in how they are made.

const IMAGE = 'image/png';

export const answers = {
  'elicitation/create': async request => ({
    action: 'accept',
    content: Object.fromEntries(
      Object.keys(request.params.requestedSchema.properties).map(key => [key, `my ${key}`])
    )
  }),
  'sampling/createMessage': async request => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: `heard: ${textOf(request.params.messages[0].content)}` }
  }),
  'roots/list': async () => ({ roots: [{ uri: 'file:///here', name: 'here' }] })
};

export const capabilities = { elicitation: {}, sampling: {}, roots: {} };

const textOf = content => (Array.isArray(content) ? content[0] : content).text;

export async function steps(client, call) {
  const tools = await everyTool(client);
  const progress = [];
  const said = async (name, args = {}, options = {}) =>
    textOf((await call(client, { name, arguments: args }, options)).content);
  const told = {
    tools: tools.includes('test_simple_text') && tools.includes('greet'),
    called: await said('greet', { name: 'hub' }),
    failed: (await call(client, { name: 'test_error_handling', arguments: {} }, {})).isError,
    progressed: await said(
      'test_tool_with_progress',
      {},
      { onprogress: each => progress.push(each.progress) }
    ),
    elicited: await said('test_elicitation', { message: 'Who?' }),
    sampled: await said('test_sampling', { prompt: 'Well?' }),
    rooted: await said('test_input_required_result_list_roots'),
    rounds: await said('test_input_required_result_multi_round'),
    read: (await client.readResource({ uri: 'test://static-text' })).contents[0].text,
    binary: (await client.readResource({ uri: 'test://static-binary' })).contents[0].mimeType === IMAGE,
    prompt: textOf(
      (
        await client.getPrompt({
          name: 'test_prompt_with_arguments',
          arguments: { arg1: 'one', arg2: 'two' }
        })
      ).messages[0].content
    ),
    completed: (
      await client.complete({
        ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
        argument: { name: 'arg1', value: 'par' }
      })
    ).completion.values
  };
  return { ...told, progress };
}

async function everyTool(client) {
  const names = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : {});
    names.push(...page.tools.map(tool => tool.name));
    cursor = page.nextCursor;
  } while (cursor);
  return names;
}
