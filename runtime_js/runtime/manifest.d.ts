// Generated from compiler/mdst/bundle/manifest.py by `python -m mdst.bundle.types_js`.

/** What the model is. `name` is untrusted text. */
export interface ModelInfo {
  name: string;
  architecture: string;
  parameters: number;
  layers: number;
  vocabulary: number;
  trained_context: number;
}

/**
 * `window`: tokens that attention sees and that `tokens` keeps; `least_window`: that the layer sees
 * which sees fewest. Each layer's cache is a ring of its window and `ahead` more tokens: what may
 * be processed after a position before the position must not be returned to. `chunk`: most tokens
 * of a prefill run. `sinks` and `max_sinks`: first tokens kept when the window slides.
 */
export interface Context {
  window: number;
  least_window: number;
  ahead: number;
  chunk: number;
  sinks: number;
  max_sinks: number;
  max_position: number;
}

/** Device limits that the bundle needs, by their names in WebGPU. */
export interface Limits {
  maxBufferSize: number;
  maxStorageBufferBindingSize: number;
}

/**
 * A GPU buffer; `kind` is weights, kv, arena, state, tokens, counts or bias. All start as zeros.
 */
export interface Buffer {
  name: string;
  kind: string;
  size: number;
}

/** What a binding sees: `size` bytes at `offset` of buffer number `buffer`. */
export interface View {
  buffer: number;
  offset: number;
  size: number;
}

/** A device limit by its name in WebGPU, and the least that is enough. */
export interface Limit {
  name: string;
  least: number;
}

/**
 * A compute shader by its name in the tier's WGSL file. `access` per binding: read or read_write.
 */
export interface KernelInfo {
  name: string;
  access: string[];
}

/** One dispatch: kernel and views by number, workgroups in three dimensions. */
export interface Step {
  kernel: number;
  views: number[];
  grid: number[];
  label: string;
}

/**
 * Steps to dispatch in order for runs of up to `tokens` tokens. `phase` is prefill (of which there
 * may be several sizes), prefill_logits, decode, decode_logits or sample. It may run on tokens at
 * positions below `reach` alone: of two programs of a phase, the one of less reach is the faster.
 */
export interface Program {
  name: string;
  phase: string;
  tokens: number;
  reach: number;
  steps: Step[];
}

/**
 * The kernels and programs for devices with `features` (names of WebGPU's GPUFeatureName),
 * extensions of the `language` (of wgslLanguageFeatures), subgroups of just `subgroup_size` lanes
 * unless it is null, and these `limits` beside those of the bundle. `arithmetic`: float, or int8
 * for activations rounded to 8 bits. `wgsl` holds all kernels, each after a line `//! kernel NAME`.
 */
export interface Tier {
  name: string;
  arithmetic: string;
  features: string[];
  language: string[];
  subgroup_size: number | null;
  limits: Limit[];
  wgsl: string;
  kernels: KernelInfo[];
  programs: Program[];
}

/**
 * The whole model as a WebAssembly module, for engines with `features` (names of WebAssembly's
 * proposals: simd, relaxed-simd, threads, memory64). It imports `env.memory` of `pages` pages of 64
 * KiB (shared for threads); `weights` are the addresses of the weight buffers in order, so that a
 * shard goes to that of its buffer plus its offset; `logits` float32 [vocabulary]. Exports:
 * templates/wat/module.wat.j2; `chunk`: most tokens of one prefill; `threads`: most instances that
 * share the memory; `team`: address of the word that numbers their jobs.
 */
export interface WasmModule {
  name: string;
  features: string[];
  file: string;
  size: number;
  sha256: string;
  pages: number;
  chunk: number;
  threads: number;
  weights: number[];
  state: number;
  tokens: number;
  counts: number;
  bias: number;
  logits: number;
  team: number;
}

/** `size` bytes at `offset` of buffer number `buffer` go to `address`. */
export interface WasmPlace {
  buffer: number;
  offset: number;
  size: number;
  address: number;
}

/**
 * Layers `first` … `end` − 1 of a model that is cut, as a module of its own over a memory of
 * `pages` pages. Of the weights it has those in `places`; a shard may go to several parts. It takes
 * the hidden states float32 [tokens, width] at `entry` (0: it begins with the tokens) and leaves
 * them at `hidden`.
 */
export interface WasmPart {
  first: number;
  end: number;
  file: string;
  size: number;
  sha256: string;
  pages: number;
  places: WasmPlace[];
  entry: number;
  hidden: number;
}

/**
 * A WasmModule whose memory passes 4 GiB, for engines without memory64: cut by layers into `parts`,
 * each with 32-bit addresses and instances, memory and team of its own. A run calls `prefill` of
 * each in turn and copies the hidden states, `width` floats per token, from one to the next.
 * `state`, `tokens` and `team` are at the same address in every part: all need the state, the first
 * and the last the tokens. `sample`, `counts`, `bias` and `logits` are the last one's; the state
 * that it leaves goes to all, its token to the first.
 */
export interface WasmCut {
  name: string;
  features: string[];
  parts: WasmPart[];
  width: number;
  chunk: number;
  threads: number;
  state: number;
  tokens: number;
  counts: number;
  bias: number;
  logits: number;
  team: number;
}

/**
 * A file beside the manifest that a page loads with the model: `size` bytes whose hash is `sha256`,
 * so that files of two builds are never mixed.
 */
export interface File {
  name: string;
  size: number;
  sha256: string;
}

/** A file weights/`sha256`.bin: `size` bytes that go to `offset` of buffer number `buffer`. */
export interface Shard {
  sha256: string;
  size: number;
  buffer: number;
  offset: number;
}

/** Shards in the order of first use, and the programs that need them. */
export interface WeightSet {
  name: string;
  programs: string[];
  shards: Shard[];
}

/** `count` values of `type` (u32 or f32) at `offset` of the state buffer. */
export interface Field {
  name: string;
  type: string;
  offset: number;
  count: number;
}

/** Everything that a host needs to load and run the model. */
export interface Manifest {
  format: number;
  compiler: string;
  model: ModelInfo;
  context: Context;
  kv: string;
  limits: Limits;
  buffers: Buffer[];
  views: View[];
  tiers: Tier[];
  wasm: WasmModule[];
  wasm_cuts: WasmCut[];
  files: File[];
  weights: WeightSet[];
  weights_url: string | null;
  state: Field[];
  logits: number;
}
