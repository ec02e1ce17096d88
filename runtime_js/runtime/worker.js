/** The worker in which an engine lives by default. */

import { serve } from './rpc.js';
import { dispatch, Service } from './service.js';

const service = new Service();
serve(/** @type {any} */ (globalThis), (order, call) => dispatch(service, order, call));
