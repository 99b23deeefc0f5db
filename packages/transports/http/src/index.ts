/** Posthaste over HTTP: serves the REST routes of contracts. */
export { http } from './http.ts'
export type { HttpOptions } from './options.ts'
