import { resolve } from 'node:path'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { requiredText } from '../command/options.ts'
import { engineCommand } from '../engine/engine-command.ts'

/** `posthaste snapshot` */
export const snapshot = engineCommand({
  name: 'snapshot',
  about: 'Copies all data of an engine, as one moment has it',
  details: [
    'For embedded engines, whose directory must be owned by nobody else at that moment, and for brokers that offer it, which write the directory on their machine. To restore a copy, run an engine on it.',
  ],
  args: { dir: requiredText('An empty or new directory', { value: 'directory', completes: 'directory' }) },
  options: {},
  examples: ['posthaste snapshot ./backup-2026-01-31 --engine embedded:./data'],
  async run({ dir }, _, { engine, print }) {
    if (!canCopy(engine)) {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot copy its data`, {
        remedy: 'Use the backup of the server that the messages stand on.',
      })
    }
    // A broker has a working directory of its own, so the path is that of the user only for what runs here.
    const place = engine.name === 'embedded' ? resolve(dir) : dir
    await engine.snapshot(place)
    await print.answer({ json: { directory: place }, text: () => `the copy is in ${place}\n` })
  },
})

interface Copying extends Engine {
  snapshot(dir: string): Promise<void>
}

function canCopy(engine: Engine): engine is Copying {
  return 'snapshot' in engine && typeof engine.snapshot === 'function'
}
