/**
 * A model that is cut by layers: a team for each part, over a memory of its own. The hidden states go
 * from each to the next; what else is read and written from outside is in the last one's memory,
 * whose state, and the tokens, the others get before they run.
 *
 * @import { Manifest, WasmCut } from '../manifest.d.ts'
 * @import { Programs, Team } from './team.js'
 */

import { readField, stateSize } from '../state.js';

export class Chain {
  /**
   * @param {Manifest} manifest
   * @param {WasmCut} cut
   * @param {Team[]} teams of its parts
   */
  constructor(manifest, cut, teams) {
    this.fields = manifest.state;
    this.cut = cut;
    this.teams = teams;
    this.last = teams[teams.length - 1];
    this.states = teams.map(({ memory }) =>
      new Uint8Array(memory.buffer, cut.state, stateSize(manifest.state))
    );
    const ringOf = (/** @type {Team} */ { memory }) =>
      new Uint32Array(memory.buffer, cut.tokens, manifest.context.window);
    this.from = ringOf(this.last);
    this.to = ringOf(teams[0]);
    this.view = new DataView(this.memory.buffer, cut.state, stateSize(manifest.state));
    const one = () => this.prefill(1, 1);
    const sample = () => this.last.programs.sample();
    /** @type {Programs} */
    this.programs = {
      prefill: (tokens, logits) => this.prefill(tokens, logits),
      decode_logits: one,
      sample,
      decode: () => {
        if (readField(this.fields, this.view, 'done')) return;
        one();
        sample();
      },
    };
  }

  get memory() {
    return this.last.memory;
  }

  get threads() {
    return Math.min(...this.teams.map(({ threads }) => threads));
  }

  get failure() {
    return this.teams.find(({ failure }) => failure !== null)?.failure ?? null;
  }

  /** As `Team.run`. @template T @param {(programs: Programs) => T} work @returns {T} */
  run(work) {
    return this.last.run(() => work(this.programs));
  }

  /** @param {number} tokens from the state's position on @param {number} logits */
  prefill(tokens, logits) {
    const position = readField(this.fields, this.view, 'position');
    for (let i = position; i < position + tokens; i += 1) {
      this.to[i % this.to.length] = this.from[i % this.from.length];
    }
    const { parts, width } = this.cut;
    const size = 4 * tokens * width;
    this.teams.forEach(({ memory: { buffer }, programs }, i) => {
      this.states[i].set(this.states[this.states.length - 1]);
      if (i > 0) {
        const { memory } = this.teams[i - 1];
        new Uint8Array(buffer, parts[i].entry, size)
          .set(new Uint8Array(memory.buffer, parts[i - 1].hidden, size));
      }
      programs.prefill(tokens, logits);
    });
  }

  end() {
    for (const team of this.teams) team.end();
  }
}
