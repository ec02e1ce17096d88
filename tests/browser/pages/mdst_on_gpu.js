/**
 * Stands before a bundle's mdst.js, which is behind a query: where no device is asked for, it is the
 * GPU, also one in software.
 */

const real = await import(`${import.meta.url}?real.js`);
const { clearCache, MdstError } = real;
const gpu = { device: 'webgpu' };

export { clearCache, MdstError };

export function canRun(options) {
  return real.canRun({ ...gpu, ...options });
}

export function load(options) {
  return real.load({ ...gpu, ...options });
}
