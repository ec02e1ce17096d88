/** The public interface of a compiled model. */

export type ErrorCode =
  /** No device that has what the model needs; `problems` says what is missing. */
  | 'unsupported_device'
  /** A file could not be fetched, after several tries. */
  | 'download_failed'
  /** A file arrived, but is not what was compiled. */
  | 'integrity'
  /** The prompt has more tokens than the context holds. */
  | 'context_length_exceeded'
  /** An argument makes no sense; `param` names the field. */
  | 'invalid_request'
  /** The model has no chat template. */
  | 'no_chat_template'
  /** `load` was aborted by its signal. */
  | 'aborted'
  /**
   * The browser took the GPU, a thread or the worker away and gave no other one, or no text could go
   * on there; load again.
   */
  | 'device_lost'
  /** The device has not enough memory free. */
  | 'out_of_memory'
  /** The bundle is damaged, or of another version. */
  | 'format'
  /** `unload` was called. */
  | 'unloaded';

export class MdstError extends Error {
  readonly code: ErrorCode;
  readonly problems: Problem[];
  /** The field of the request that is at fault, such as `messages[2].content`. */
  readonly param: string | null;
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

/** A GPU, or the CPU by WebAssembly. */
export type DeviceName = 'webgpu' | 'wasm';

/** Bytes of the device's memory. */
export interface Memory {
  weights: number;
  kv: number;
  arena: number;
  other: number;
  total: number;
}

export interface Ability {
  ok: boolean;
  /** What would run the model; null when nothing can. */
  device: DeviceName | null;
  /** The module that would be used, or the best kernels in the compiler's order. */
  tier: string | null;
  /** Of the CPU; 0 for a GPU. */
  threads: number;
  /** Why it will be slower than it could be, for the user. */
  notice: string | null;
  /** Better devices, and why they cannot run it. */
  refused: Refusal[];
  adapter: AdapterInfo | null;
  problems: Problem[];
  /** What an empty cache needs, and the bytes of it that the browser kept from an earlier load. */
  download: { bytes: number; files: number; cached: number };
  memory: Memory;
  /** Tokens that the model sees at once. */
  context: number;
  model: ModelInfo;
  /** Whether the model has a chat template. */
  chat: boolean;
}

/** `name` is untrusted text. */
export interface ModelInfo {
  name: string;
  architecture: string;
  parameters: number;
  layers: number;
  vocabulary: number;
  trained_context: number;
}

export interface Progress {
  phase: 'check' | 'kernels' | 'weights' | 'ready';
  /** Bytes in phase `weights`, pipelines in phase `kernels`. */
  loaded: number;
  total: number;
  /** Bytes among `loaded` that the browser had kept; the others came over the network. */
  cached: number;
  /** Weight files that are on the device. */
  files: number;
  bytesPerSecond: number;
}

export interface BundleOptions {
  /** Where the bundle lies; default: beside this module. */
  base?: string | URL;
  /**
   * Default: the GPU; the CPU where none can run the model, where it is one in software, or where a
   * small model is faster so.
   */
  device?: 'auto' | DeviceName;
  /** Kernels or module to use, such as `base`; default: those that are fastest on this device. */
  tier?: string;
  /** Of the CPU; default: as many as it has cores. One where the page is not cross-origin isolated. */
  threads?: number;
  signal?: AbortSignal;
}

export interface LoadOptions extends BundleOptions {
  onProgress?: (progress: Progress) => void;
  /**
   * Whether files are kept in the browser for the next load, and read from there (default).
   * `persist` also asks the browser not to clear them away when space gets short; some ask the user.
   */
  cache?: boolean | 'persist';
  /**
   * Kernels that the device can run are timed in the first load, for less than a second, and the
   * fastest are kept for it (default; not where a CPU plays the GPU). `false`: the first that are
   * right, in the compiler's order; `again`: timed whatever is known, on CPUs too. Where no device is
   * asked for, models of up to 64 MiB are timed on the CPU too, and run there if that is faster.
   */
  profile?: boolean | 'again';
  /** When the context is full: `slide` drops the oldest tokens but the first `sinks`. */
  on_full?: 'slide' | 'stop';
  sinks?: number;
  /** Run in a worker (default), or in this thread. */
  worker?: boolean;
}

/** What every request may ask for; `null` is the default, and fields that are not known are refused. */
export interface GenerationRequest {
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
  /**
   * What the answer must be: any JSON object, or what a JSON schema describes. A keyword that is not
   * supported is refused by name. The answer ends when it is complete, whatever `ignore_eos` says,
   * and is made to be complete within the most tokens that it may have, where they are enough.
   */
  response_format?: ResponseFormat | null;
  /** Independent answers, up to 128, made one after another. */
  n?: number | null;
  /** Go on after tokens that end the text. */
  ignore_eos?: boolean | null;
  on_full?: 'slide' | 'stop' | null;
  /** Ends the answer early with finish_reason `abort`. */
  signal?: AbortSignal | null;
  /** Tokens per submit; default: as the device's speed asks for. Never changes the text. */
  steps?: number | null;
  stream?: boolean | null;
  /** `include_usage`: the stream ends with a chunk that has `usage` and no choices. */
  stream_options?: { include_usage?: boolean | null } | null;
  /** Taken and not used, as requests to servers have them. */
  model?: string | null;
  user?: string | null;
  metadata?: object | null;
  store?: boolean | null;
}

export type ResponseFormat =
  | { type: 'text' | 'json_object' }
  | {
    type: 'json_schema';
    /** `name`, `description` and `strict` are of no effect: the schema is always kept to. */
    json_schema: {
      schema: object | boolean;
      name?: string;
      description?: string;
      strict?: boolean | null;
    };
  };

export interface CompletionRequest extends GenerationRequest {
  /** Text, or token ids that are taken as they are. */
  prompt: string | readonly number[];
  /** Default 128. */
  max_tokens?: number | null;
  /** How many of the likeliest tokens are told at each place, up to 20. */
  logprobs?: number | null;
  /** The answer begins with the prompt. Not with `logprobs`. */
  echo?: boolean | null;
}

/** A message as the model's chat template reads it; fields beside these are handed to it too. */
export interface ChatMessage {
  /** Most templates know `system`, `user`, `assistant` and `tool`. */
  role: string;
  /** Parts are joined. */
  content?: string | readonly { type: 'text'; text: string }[] | null;
  name?: string;
  tool_calls?: readonly object[];
  tool_call_id?: string;
}

/** What is rendered beside the messages. */
export interface ChatOptions {
  /**
   * Functions in OpenAI's shape. The template tells the model of them; what the model answers is
   * left as text, as each model has its own way to write calls.
   */
  tools?: readonly object[] | null;
  /** `none`: as without tools. A call cannot be forced. */
  tool_choice?: 'auto' | 'none' | null;
  /** More variables of the template, such as `enable_thinking`. */
  chat_template_kwargs?: Record<string, unknown> | null;
}

export interface ChatRequest extends GenerationRequest, ChatOptions {
  messages: readonly ChatMessage[];
  /** Default: what the context has room for. */
  max_completion_tokens?: number | null;
  /** The older name. */
  max_tokens?: number | null;
  /** Whether the probability of each token is told, and of how many of the likeliest (up to 20). */
  logprobs?: boolean | null;
  top_logprobs?: number | null;
}

export type FinishReason = 'stop' | 'length' | 'abort';

export interface Usage {
  prompt_tokens: number;
  /** Of all choices. */
  completion_tokens: number;
  total_tokens: number;
  /** Prompt tokens that were still in the cache from the request before. */
  prompt_tokens_details: { cached_tokens: number };
}

export interface Timings {
  prefill_seconds: number;
  decode_seconds: number;
}

/** What the last chunk with choices, and a whole answer, tell of it. */
export interface Summary {
  usage: Usage;
  timings: Timings;
  seed: number;
}

interface Envelope<Kind> {
  id: string;
  object: Kind;
  /** Seconds since 1970. */
  created: number;
  /** The model's name: untrusted text. */
  model: string;
}

/** Natural logarithms of the model's own probabilities, before bias, penalties and filters. */
export interface TextLogprobs {
  tokens: string[];
  token_logprobs: number[];
  /** By the token's text. */
  top_logprobs: Record<string, number>[];
  /** Characters of the answer before each token. */
  text_offset: number[];
}

export interface TokenLogprob {
  token: string;
  id: number;
  logprob: number;
  bytes: number[];
}

export interface ChatLogprob extends TokenLogprob {
  top_logprobs: TokenLogprob[];
}

/** `tokens` are those of the text, without the one that ended it. */
export interface Choice<Reason> {
  index: number;
  text: string;
  tokens: number[];
  logprobs: TextLogprobs | null;
  finish_reason: Reason;
}

export interface Completion extends Envelope<'text_completion'>, Summary {
  choices: Choice<FinishReason>[];
}

/** `text` and `tokens` are new. The last chunk of a choice has finish_reason and no text. */
export interface CompletionChunk extends Envelope<'text_completion'>, Partial<Summary> {
  choices: Choice<FinishReason | null>[];
}

export interface ChatChoice {
  index: number;
  message: { role: 'assistant'; content: string };
  tokens: number[];
  logprobs: { content: ChatLogprob[] } | null;
  finish_reason: FinishReason;
}

export interface ChatCompletion extends Envelope<'chat.completion'>, Summary {
  choices: ChatChoice[];
}

export interface ChatChunkChoice {
  index: number;
  /** The role comes once, in the first chunk of a choice. */
  delta: { role?: 'assistant'; content?: string };
  tokens: number[];
  logprobs: { content: ChatLogprob[] } | null;
  finish_reason: FinishReason | null;
}

export interface ChatChunk extends Envelope<'chat.completion.chunk'>, Partial<Summary> {
  choices: ChatChunkChoice[];
}

export interface Completions {
  create(request: CompletionRequest & { stream: true }): Promise<AsyncIterable<CompletionChunk>>;
  create(request: CompletionRequest & { stream?: false | null }): Promise<Completion>;
}

export interface ChatCompletions {
  create(request: ChatRequest & { stream: true }): Promise<AsyncIterable<ChatChunk>>;
  create(request: ChatRequest & { stream?: false | null }): Promise<ChatCompletion>;
}

/** A tier that does not compile here or computes wrongly, or only one of its programs. */
export interface Refusal {
  tier: string;
  /** null: the whole tier. */
  program: string | null;
  reason: string;
}

export interface Tuning {
  /**
   * `measured` now, or `kept` from a load in which it was; else in the compiler's `order`, or `asked`
   * for by name.
   */
  source: 'measured' | 'kept' | 'order' | 'asked';
  /** Or the CPU's module, if that is faster. */
  tier: string;
  /** Its programs for a token, the first for the beginnings of texts. */
  programs: string[];
  /** Of what was timed, with `position` tokens before. */
  times: ProgramTime[];
  position: number;
  /** That the timing took. */
  milliseconds: number;
  /** Why nothing was timed although it should have been. */
  problem: string | null;
}

/** Time of a token. */
export interface ProgramTime {
  tier: string;
  program: string;
  microseconds: number;
}

export interface Stats {
  model: { name: string; architecture: string; parameters: number; layers: number };
  /** Whether the model has a chat template. */
  chat: boolean;
  device: DeviceName;
  tier: string;
  /** Of the CPU; 0 for a GPU. */
  threads: number;
  /** Why it is slower than it could be, for the user. */
  notice: string | null;
  /** Tiers that fail on this device, or `webgpu` for all of them, and why. */
  refused: Refusal[];
  /** How the kernels were chosen; null for a CPU that no GPU was compared with. */
  tuning: Tuning | null;
  /** The GPU, if it is one. */
  adapter: AdapterInfo | null;
  worker: boolean;
  /** Devices that were lost since; the model went on with others. */
  replaced: number;
  context: number;
  memory: Memory;
  /** 0 on a CPU. */
  dispatches_per_token: number;
  load: {
    check_seconds: number;
    kernels_seconds: number;
    weights_seconds: number;
    /** Of finding out which kernels are fastest. */
    timing_seconds: number;
    total_seconds: number;
    /** Of weights. */
    bytes: number;
    /** Those that the browser had kept. */
    cached_bytes: number;
  };
  cache: {
    /** Whether the model is kept for the next load. */
    kept: boolean;
    /** Why not, for the user: a full disk, a private window. */
    notice: string | null;
    /** No server could be reached: all is as in the last load. */
    offline: boolean;
    /** Kept files that were damaged, and fetched again. */
    healed: number;
  };
  /** Of the last request. */
  last:
    | (Timings & Usage & {
      /** At most. */
      tokens_per_submit: number;
      prefill_tokens_per_second: number;
      decode_tokens_per_second: number;
    })
    | null;
}

/** Time on the device, of one or several steps. */
export interface Timing {
  label: string;
  microseconds: number;
  steps: number;
}

/** Where the time of a token goes. */
export interface Profile {
  /** Each step by the GPU's clock, or layers and kinds of steps by the clock of the page. */
  method: 'timestamps' | 'clock';
  /** Tokens of which the times are averages. */
  tokens: number;
  /** Of one token. */
  microseconds: number;
  /** In their order; what is in no layer under its own name. None on a CPU. */
  layers: Timing[];
  /** Kinds of steps in all layers together, the longest first. */
  kernels: Timing[];
}

export interface Engine {
  /** Requests run one after another, in the order in which they came. */
  chat: { completions: ChatCompletions };
  completions: Completions;
  /** The prompt that chat makes of messages; `add_generation_prompt` is true unless told. */
  applyChatTemplate(
    messages: readonly ChatMessage[],
    options?: ChatOptions & { add_generation_prompt?: boolean | null },
  ): Promise<string>;
  tokenize(
    text: string,
    options?: { addSpecial?: boolean; parseSpecial?: boolean },
  ): Promise<number[]>;
  detokenize(ids: readonly number[]): Promise<string>;
  stats(): Promise<Stats>;
  /** Measures the steps of a token, in about a second. */
  profile(): Promise<Profile>;
  /** Frees the device's memory and ends the worker. Running requests fail with `unloaded`. */
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

/** Removes everything that models of this origin have kept in the browser. */
export function clearCache(): Promise<void>;

/** Downloads the model to the device. */
export function load(options?: LoadOptions): Promise<Engine>;
