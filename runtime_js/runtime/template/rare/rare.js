/** What few conversations need of the engine: loaded when a rendering comes to it. */

export { follow, known, loopAttribute } from './access.js';
export { FILTERS } from './filters.js';
export { addMarkup, orderOf, percent, repeat } from './operators.js';
export { repr } from './print.js';
export { strftime } from './strftime.js';
export { TESTS } from './tests.js';
