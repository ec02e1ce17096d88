/** The public interface of a compiled model. */

export type ErrorCode =
  /** No WebGPU, or a device that lacks what the model needs; `problems` says what. */
  | 'unsupported_device'
  /** A file could not be fetched, after several tries. */
  | 'download_failed'
  /** A file arrived, but is not what was compiled. */
  | 'integrity'
  /** The prompt has more tokens than the context holds. */
  | 'context_length_exceeded'
  /** An argument makes no sense. */
  | 'invalid_request'
  /** `load` was aborted by its signal. */
  | 'aborted'
  /** The browser took the GPU away; load again. */
  | 'device_lost'
  /** The GPU has not enough memory free. */
  | 'out_of_memory'
  /** The bundle is damaged, or of another version. */
  | 'format'
  /** `unload` was called. */
  | 'unloaded';

export class MdstError extends Error {
  readonly code: ErrorCode;
  readonly problems: Problem[];
}

/** Why a device cannot run the model: `needed` and `found` are bytes, counts or names. */
export interface Problem {
  what: string;
  needed: number | string;
  found: number | string;
  message: string;
}

export interface AdapterInfo {
  vendor: string;
  architecture: string;
  description: string;
  /** Whether it is a CPU that plays a GPU. */
  fallback: boolean;
}

/** Bytes of GPU memory. */
export interface Memory {
  weights: number;
  kv: number;
  arena: number;
  other: number;
  total: number;
}

export interface Ability {
  ok: boolean;
  /** The kernels that would be used; null when the model cannot run. */
  tier: string | null;
  adapter: AdapterInfo | null;
  problems: Problem[];
  download: { bytes: number; files: number };
  memory: Memory;
  /** Tokens that the model sees at once. */
  context: number;
}

export interface Progress {
  phase: 'check' | 'kernels' | 'weights' | 'ready';
  /** Bytes in phase `weights`, pipelines in phase `kernels`. */
  loaded: number;
  total: number;
  /** Weight files that are on the GPU. */
  files: number;
  bytesPerSecond: number;
}

export interface BundleOptions {
  /** Where the bundle lies; default: beside this module. */
  base?: string | URL;
  /** Kernels to use, such as `base`; default: the best that the device can run. */
  tier?: string;
  signal?: AbortSignal;
}

export interface LoadOptions extends BundleOptions {
  onProgress?: (progress: Progress) => void;
  device?: 'auto' | 'webgpu';
  /** When the context is full: `slide` drops the oldest tokens but the first `sinks`. */
  on_full?: 'slide' | 'stop';
  sinks?: number;
  /** Run in a worker (default), or in this thread. */
  worker?: boolean;
}

export interface CompletionRequest {
  /** Text, or token ids that are taken as they are. */
  prompt: string | readonly number[];
  /** Default 128. */
  max_tokens?: number | null;
  /** Default 1; 0 takes the likeliest token. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  repetition_penalty?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  /** Added to the logits of token ids; -Infinity forbids one. */
  logit_bias?: Record<number, number> | null;
  /** Up to 2^53 - 1; default: random, told in the answer. */
  seed?: number | null;
  /** Texts that end the answer; they are never shown. */
  stop?: string | readonly string[] | null;
  /** Go on after tokens that end the text. */
  ignore_eos?: boolean | null;
  on_full?: 'slide' | 'stop' | null;
  /** Ends the answer early with finish_reason `abort`. */
  signal?: AbortSignal | null;
  /** Tokens per submit; default: as the device's speed asks for. Never changes the text. */
  steps?: number | null;
  stream?: boolean | null;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Prompt tokens that were still in the cache from the request before. */
  cached_tokens: number;
}

export interface Timings {
  prefill_seconds: number;
  decode_seconds: number;
}

export interface Choice<Reason> {
  index: 0;
  text: string;
  tokens: number[];
  finish_reason: Reason;
}

export interface Completion {
  id: string;
  object: 'text_completion';
  created: number;
  model: string;
  choices: [Choice<FinishReason>];
  usage: Usage;
  timings: Timings;
  seed: number;
}

/** `text` and `tokens` are new; the last chunk has finish_reason, usage, timings and seed. */
export interface CompletionChunk {
  id: string;
  object: 'text_completion';
  created: number;
  model: string;
  choices: [Choice<FinishReason | null>];
  usage?: Usage;
  timings?: Timings;
  seed?: number;
}

export interface Completions {
  create(request: CompletionRequest & { stream: true }): Promise<AsyncIterable<CompletionChunk>>;
  create(request: CompletionRequest & { stream?: false | null }): Promise<Completion>;
}

export interface Stats {
  model: { name: string; architecture: string; parameters: number; layers: number };
  tier: string;
  /** Better tiers that this device has the features for but fails at, and why. */
  refused: { tier: string; reason: string }[];
  adapter: AdapterInfo;
  worker: boolean;
  context: number;
  memory: Memory;
  dispatches_per_token: number;
  load: {
    check_seconds: number;
    kernels_seconds: number;
    weights_seconds: number;
    total_seconds: number;
    bytes: number;
  };
  /** Of the last request. */
  last:
    | (Timings & Usage & {
      tokens_per_submit: number;
      prefill_tokens_per_second: number;
      decode_tokens_per_second: number;
    })
    | null;
}

export interface Engine {
  /** Requests run one after another, in the order in which they came. */
  completions: Completions;
  tokenize(
    text: string,
    options?: { addSpecial?: boolean; parseSpecial?: boolean },
  ): Promise<number[]>;
  detokenize(ids: readonly number[]): Promise<string>;
  stats(): Promise<Stats>;
  /** Frees all GPU memory and ends the worker. Running requests fail with `unloaded`. */
  unload(): Promise<void>;
  /**
   * For tests: rows of float32 [vocabulary]. By decoding, one row after each id (or the `last`
   * ones); with `prefill`, the row after the last id alone.
   */
  logits(
    ids: readonly number[],
    options?: { prefill?: boolean; last?: number },
  ): Promise<Float32Array[]>;
}

/** Whether the model can run here. Fetches manifest.json and nothing else. */
export function canRun(options?: BundleOptions): Promise<Ability>;

/** Downloads the model to the GPU. */
export function load(options?: LoadOptions): Promise<Engine>;
