/** Progress of loading: a bar and a line of numbers for each phase, drawn once per frame. */

import { create, oncePerFrame } from './elements.js';
import { formatBytes, formatCount, formatSeconds } from './format.js';

/** @import { Progress } from '../mdst.d.ts' */

/** @type {Record<string, string>} */
const TITLES = { check: 'Device check', kernels: 'Kernels', weights: 'Weights' };

/**
 * The numbers of a phase: bytes, speed and time left for weights, a count for the others.
 *
 * @param {Progress} progress
 * @param {number} allFiles
 * @returns {string}
 */
export function progressText({ phase, loaded, total, cached, files, bytesPerSecond }, allFiles) {
  if (!(total > 0) || phase === 'check') return '';
  if (phase !== 'weights') return `${formatCount(loaded)} of ${formatCount(total)}`;
  const parts = [`${formatBytes(loaded)} of ${formatBytes(total)}`];
  if (cached > 0) parts.push(`${formatBytes(cached)} already here`);
  if (allFiles > 1) parts.push(`file ${Math.min(files + 1, allFiles)} of ${allFiles}`);
  if (bytesPerSecond && loaded < total) {
    parts.push(`${formatBytes(bytesPerSecond)}/s`);
    parts.push(`${formatSeconds(Math.ceil((total - loaded) / bytesPerSecond))} left`);
  }
  return parts.join(' · ');
}

/** The rows of phases; kernels are compiled while weights arrive, so several move at a time. */
export class ProgressRows {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    /** Number of weight files. */
    this.files = 0;
    /** @type {Map<string, Progress>} */
    this.latest = new Map();
    /** @type {Map<string, { bar: HTMLProgressElement, numbers: HTMLElement }>} */
    this.rows = new Map();
    this.draw = oncePerFrame(() => this.latest.forEach((event) => this.drawRow(event)));
  }

  /** Forgets the last time. */
  clear() {
    this.latest.clear();
    this.rows.clear();
    this.place.replaceChildren();
  }

  /** @param {Progress} event */
  update(event) {
    if (!(event.phase in TITLES)) return;
    if (event.phase !== 'check') this.finishCheck();
    this.latest.set(event.phase, event);
    this.draw();
  }

  /** The check has no total of its own: it is over when something else begins. */
  finishCheck() {
    const check = this.latest.get('check');
    if (check) this.latest.set('check', { ...check, loaded: 1, total: 1 });
  }

  /** @param {Progress} event */
  drawRow(event) {
    const { bar, numbers } = this.rows.get(event.phase) ?? this.addRow(event.phase);
    if (event.total > 0) {
      bar.max = event.total;
      bar.value = event.loaded;
    }
    numbers.textContent = progressText(event, this.files);
  }

  /** @param {string} phase */
  addRow(phase) {
    const label = create('label');
    const bar = create('progress');
    const numbers = create('span');
    numbers.className = 'quiet';
    bar.id = `phase-${phase}`;
    label.htmlFor = bar.id;
    label.append(create('span', TITLES[phase]), numbers);
    const row = create('div');
    row.append(label, bar);
    this.place.append(row);
    this.rows.set(phase, { bar, numbers });
    return { bar, numbers };
  }
}
