/** What generation asks of a device that runs the model, be it a GPU or a CPU. */

import type { Cache } from './cache.js';
import type { Manifest } from './manifest.d.ts';
import type { Profile, Stats } from '../mdst.d.ts';

/** What stays the same while one text is generated. */
export interface Settings {
  /** Fields of the state buffer. */
  sampling: Record<string, number | number[]>;
  /** The position at which generation ends, and the first tokens that stay in sight. */
  limit: number;
  sinks: number;
  /** Tokens that end the text. */
  endIds: readonly number[];
  /** The tokens that penalties count, the output's being those before it begins; null: none do. */
  counted: { prompt: readonly number[]; output: readonly number[] } | null;
  /** Added to the logits [vocabulary]; null: nothing. */
  bias: Float32Array<ArrayBuffer> | null;
}

/** What one draw left: `step` tokens were drawn so far, `ids` are those of this draw. */
export interface Outcome {
  position: number;
  /** 0, or END or FULL of state.js. */
  done: number;
  step: number;
  ids: number[];
  /** The logits that each of `ids` was drawn from [vocabulary], where they were asked for. */
  rows: Float32Array[];
}

/**
 * One text at a time: `begin`, then `prefill` or `resume`, then draws. Draws may be asked for before
 * earlier ones are done, `inFlight` at a time; once the text is done they draw nothing.
 */
export interface Executor {
  readonly manifest: Manifest;
  /** What the key-value cache holds; the executor tells it what is being written. */
  readonly cache: Cache;
  readonly inFlight: number;
  /** Tokens per draw that suit the device now. */
  readonly suited: number;
  /** Most tokens per draw, and most with logits. */
  readonly mostSteps: number;
  readonly mostRows: number;

  begin(settings: Settings): void;

  /**
   * Processes the tokens of a prompt from `from` on; the logits after its last one are left.
   * Resolves to how many it has processed: fewer than all when it was aborted.
   */
  prefill(prompt: readonly number[], from: number, signal: AbortSignal): Promise<number>;

  /** As after `prefill` of `position` tokens, which the cache holds, when it left `logits`. */
  resume(position: number, logits: Float32Array<ArrayBuffer>): void;

  /** Draws the next token from the logits that are there. */
  sample(rows: boolean): Promise<Outcome>;

  /** Processes the token drawn last and draws the next, `repeat` times. */
  decode(repeat: number, rows: boolean): Promise<Outcome>;

  /** Processes the token drawn last; its logits are left for `sample`. */
  forward(): void;

  /** Instead of the bias so far. */
  setBias(bias: Float32Array<ArrayBuffer>): void;

  /** Processes a given token at a position; its logits are left. */
  feed(position: number, id: number): void;

  /** The logits that are there, float32 [vocabulary]. */
  logits(): Promise<Float32Array<ArrayBuffer>>;

  /** When all work so far is done. */
  finished(): Promise<void>;
}

/** What is the same as long as a model is loaded. */
export type DeviceStats = Pick<
  Stats,
  'device' | 'tier' | 'threads' | 'notice' | 'memory' | 'dispatches_per_token'
>;

/** A model on its device. */
export interface Running extends Executor {
  /** @throws {MdstError} when the device is of no use any more: half a text may be missing */
  assertUsable(): void;
  stats(): DeviceStats;
  /** Runs tokens that belong to no text; afterwards the cache counts as empty. */
  profile(): Promise<Profile>;
  /** Frees everything. */
  close(): void;
}
