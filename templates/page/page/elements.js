/** What the page's scripts need of the DOM. Text goes in as text, never as markup. */

/**
 * The element of index.html with this id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/**
 * A new element with text in it.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function create(tag, text = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A button that shows a symbol of index.html; what it does is told in words too.
 *
 * @param {string} action also the name of the symbol
 * @param {string} label
 * @returns {HTMLButtonElement}
 */
export function iconButton(action, label) {
  const button = create('button');
  button.type = 'button';
  button.className = 'icon';
  button.dataset.action = action;
  button.title = button.ariaLabel = label;
  const [image, use] = [document.createElementNS(SVG, 'svg'), document.createElementNS(SVG, 'use')];
  image.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#i-${action}`);
  image.append(use);
  button.append(image);
  return button;
}

/**
 * Replaces the entries of a description list.
 *
 * @param {HTMLElement} list a `dl`
 * @param {[term: string, value: string][]} entries
 */
export function describe(list, entries) {
  list.replaceChildren(...entries.map(([term, value]) => {
    const pair = create('div');
    const description = create('dd', value);
    description.dir = 'auto';
    pair.append(create('dt', term), description);
    return pair;
  }));
  list.hidden = !entries.length;
}

/**
 * A function that asks for `draw` before the next frame, once however often it is called.
 *
 * @param {() => void} draw
 * @returns {() => void}
 */
export function oncePerFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/**
 * Makes a text box as high as its text; style sheets bound it.
 *
 * @param {HTMLTextAreaElement} box
 */
export function fitHeight(box) {
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}
