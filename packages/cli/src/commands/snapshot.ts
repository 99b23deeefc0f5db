import { resolve } from 'node:path'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { requiredText } from '../command/options.ts'
import { engineCommand } from '../engine/engine-command.ts'

/** `posthaste snapshot` */
export const snapshot = engineCommand({
  name: 'snapshot',
  about: 'Copies all data of an engine, as one moment has it',
  details: [
    'An embedded engine, whose directory nobody else may own at that moment, is copied to a directory on this machine.',
    'A broker copies its data on its own machine while it goes on serving. There the copy gets a name and no path: it stands where the configuration of the broker has snapshots (snapshotsDir). Only who may manage all channels may ask for it.',
    'To restore a copy, run an engine or a broker on it.',
  ],
  args: {
    copy: requiredText('An empty or new directory; with a broker, the name of the copy', {
      value: 'directory',
      completes: 'directory',
    }),
  },
  options: {},
  examples: [
    'posthaste snapshot ./backup-2026-01-31 --engine embedded:./data',
    'posthaste snapshot backup-2026-01-31 --engine link://127.0.0.1:7420',
  ],
  async run({ copy }, _, { engine, url, print }) {
    if (!canCopy(engine)) {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot copy its data`, {
        remedy: 'Use the backup of the server that the messages stand on.',
      })
    }
    const { directory, host } = engine.name === 'broker' ? await onBroker(engine, copy, url) : await here(engine, copy)
    const machine = host === null ? 'this machine' : `${host}, the machine of the broker`
    await print.answer({ json: { directory, host }, text: () => `the copy is in ${directory} on ${machine}\n` })
  },
})

interface Copying extends Engine {
  /** @returns of a broker, the directory */
  snapshot(to: string): Promise<unknown>
}

function canCopy(engine: Engine): engine is Copying {
  return 'snapshot' in engine && typeof engine.snapshot === 'function'
}

/** Where a copy is. */
interface Place {
  readonly directory: string
  /** Null: this machine. */
  readonly host: string | null
}

async function here(engine: Copying, dir: string): Promise<Place> {
  const directory = resolve(dir)
  await engine.snapshot(directory)
  return { directory, host: null }
}

async function onBroker(engine: Copying, name: string, url: string): Promise<Place> {
  if (/[/\\]/.test(name)) {
    throw new PosthasteError('INVALID_ARGUMENT', `a broker copies to a place of its own, and '${name}' is a path`, {
      remedy: 'Give the copy a name, such as backup-2026-01-31; the configuration of the broker says where it goes.',
    })
  }
  // A Unix socket has no host: whoever reaches it is on the machine.
  const { hostname } = new URL(url)
  try {
    return { directory: String(await engine.snapshot(name)), host: hostname === '' ? null : hostname }
  } catch (cause) {
    if (!PosthasteError.is(cause, 'DEADLINE_EXCEEDED')) throw cause
    throw new PosthasteError('DEADLINE_EXCEEDED', 'the broker has not answered in time, and may still be copying', {
      cause,
      remedy: `Do not ask again at once; the copy is whole when '${name}', where the broker has its snapshots, holds data.mdb.`,
    })
  }
}
