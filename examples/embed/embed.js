import { load } from './model/mdst.js';

const text = document.getElementById('text');
try {
  const engine = await load();
  const request = { prompt: text.textContent, max_tokens: 100, temperature: 0.7, stream: true };
  for await (const chunk of await engine.completions.create(request)) text.append(chunk.choices[0].text);
} catch (error) {
  text.append(` (${error.message})`);
}
