/**
 * The page of a compiled model: checks the device and loads the model; page/chat/ talks with it, or
 * page/story.js where it has no chat template. A state shows the parts of index.html that name it:
 *
 *   checking → ready → loading → chatting ⇄ generating
 *      │         │         └──── writing ⇄ generating ⇄ reading (or ended: by the model)
 *      ├ unsupported └──────────┴── unloaded (an attempt failed or the GPU was lost)
 *      └ unreachable (the bundle cannot be read)
 */

/** @import { Ability, Engine, Problem, Progress } from './mdst.d.ts' */

// @ts-types="./mdst.d.ts"
import { canRun, load, MdstError } from './mdst.js';
import { describe, element } from './page/elements.js';
import { deviceName, modelFacts } from './page/facts.js';
import { Failure } from './page/failure.js';
import { formatBytes } from './page/format.js';
import { inertLine } from './page/inert.js';
import { Panel } from './page/panel.js';
import { ProgressRows } from './page/progress.js';
import { openSettings } from './page/settings.js';
import { View } from './page/view.js';

/** Bytes up to which a model is downloaded unasked. */
const SMALL = 50e6;

const view = new View();
const failure = new Failure();
const rows = new ProgressRows(element('phases', HTMLElement));
const panel = new Panel();
/** @type {{ take: (engine: Engine) => void } | null} what is done with the model */
let use = null;

/** Tells what the model is and needs, and whether this device can run it. */
async function check() {
  view.go('checking');
  try {
    const ability = await canRun();
    const name = inertLine(ability.model.name) || 'Language model';
    document.title = name;
    element('name', HTMLElement).textContent = name;
    describe(element('facts', HTMLElement), modelFacts(ability));
    element('intro', HTMLElement).hidden = false;
    use ??= await useOf(ability);
    if (ability.ok) offer(ability);
    else await refuse(ability.problems, ability.adapter !== null);
  } catch (error) {
    view.go('unreachable');
    failure.show(error, check);
  }
}

/** @param {Ability} ability */
async function useOf({ chat }) {
  view.mode = chat ? 'chat' : 'story';
  if (chat) {
    const { Chat } = await import('./page/chat/chat.js');
    return new Chat(view, failure, panel, start);
  }
  const { Story } = await import('./page/story.js');
  return new Story(view, failure, panel, start);
}

/** @param {Ability} ability */
function offer(ability) {
  const { bytes, files, cached } = ability.download;
  const missing = Math.max(0, bytes - cached);
  element('load', HTMLButtonElement).textContent = missing
    ? `Load ${formatBytes(missing)}`
    : 'Load';
  const kind = ability.device === 'wasm' ? 'CPU' : 'GPU';
  element('load-note', HTMLElement).textContent = `${kind}: ${deviceName(ability)}`;
  notify(ability.notice);
  rows.files = files;
  view.go('ready');
  if (missing < SMALL) start();
}

/** @param {string | null} notice why the model is slower here than it could be */
function notify(notice) {
  const place = element('notice', HTMLElement);
  place.textContent = notice;
  place.hidden = !notice;
}

/**
 * @param {Problem[]} problems
 * @param {boolean} hasGpu
 */
async function refuse(problems, hasGpu) {
  const { showProblems } = await import('./page/refusal.js');
  showProblems(problems, { secure: isSecureContext, webgpu: 'gpu' in navigator, gpu: hasGpu });
  view.go('unsupported');
}

/** Loads the model. */
async function start() {
  const abort = new AbortController();
  element('cancel', HTMLButtonElement).onclick = () => abort.abort();
  failure.hide();
  rows.clear();
  view.go('loading');
  try {
    const onProgress = (/** @type {Progress} */ progress) => rows.update(progress);
    const engine = await load({ signal: abort.signal, onProgress });
    panel.take(engine);
    use?.take(engine);
    notify((await engine.stats()).notice);
  } catch (error) {
    const unsupported = error instanceof MdstError && error.code === 'unsupported_device';
    if (abort.signal.aborted) view.go('ready');
    else if (!unsupported || !await refuse(error.problems, true).then(() => true, () => false)) {
      view.go('unloaded');
      failure.show(error, start);
    }
  }
}

element('unserved', HTMLElement).hidden = true;
openSettings();
element('load', HTMLButtonElement).addEventListener('click', start);
element('recheck', HTMLButtonElement).addEventListener('click', check);
check();
