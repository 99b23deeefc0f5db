import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { command } from '../command/command.ts'
import { flag } from '../command/options.ts'

/** `posthaste version` */
export const version = command({
  name: 'version',
  about: 'Tells the version',
  details: [],
  args: {},
  options: { json: flag('Answers in JSON') },
  examples: [],
  async run(_, __, { print }) {
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
    const { version: posthaste } = JSON.parse(text) as { readonly version: string }
    const json = { posthaste, node: process.versions.node }
    await print.answer({ json, text: () => `posthaste ${posthaste}, node ${json.node}\n` })
  },
})
