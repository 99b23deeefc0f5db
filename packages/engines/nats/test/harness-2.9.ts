import { harnessOn } from './harness.ts'

/** On the oldest server that is supported. */
export const harness = harnessOn('nats-2.9')
