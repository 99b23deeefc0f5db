import process from 'node:process'
import { type RunningServer, runningServer } from '@posthaste/conformance/server'
import type { TestContext } from 'vitest'
import type { CommandLine } from './languages.ts'

/** A server, and a client in another language. */
export interface Requirement {
  readonly server: RunningServer
  readonly client: CommandLine
}

/**
 * What a test needs; where something is missing it is skipped and says what, unless this is CI, where nothing may be.
 * @throws Error naming what is missing
 */
export async function required(
  { skip }: TestContext,
  { name, language, client }: { readonly name: string; readonly language: string; readonly client: ClientSource },
): Promise<Requirement> {
  const server = runningServer(name)
  if (!server) return missing(`no ${name} runs; start it with: npm run engines -- up ${name}`, skip)
  const found = await client()
  return found ? { server, client: found } : missing(`${language} is not installed`, skip)
}

/** Finds a client, or installs it. */
export type ClientSource = () => Promise<CommandLine | undefined>

function missing(what: string, skip: TestContext['skip']): never {
  if (process.env.CI === undefined) skip(what)
  throw new Error(what)
}
