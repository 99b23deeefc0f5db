#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { type Log, type LogFields, PosthasteError } from '@posthaste/contracts'
import type { BrokerConfig } from './config/config.ts'
import { configOf } from './config/config-of.ts'
import { startBroker } from './serving/broker.ts'

/*
 * The broker as a program of its own, for containers and service managers: configured by the file that
 * POSTHASTE_BROKER_CONFIG names and by the environment, ended by SIGTERM or SIGINT, and at once by a second one.
 */

/** One line of JSON per message, for whoever collects them. */
const log: Log = {
  debug: () => {},
  info: (message, fields) => write('info', message, fields),
  warn: (message, fields) => write('warn', message, fields),
  error: (message, fields) => write('error', message, fields),
}

function write(level: string, message: string, fields: LogFields = {}): void {
  const told = Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? value.message : value])
  process.stderr.write(`${JSON.stringify({ level, message, ...Object.fromEntries(told) })}\n`)
}

// Whoever collects the lines may go away; a broker goes on, and above all ends in order.
process.stderr.on('error', () => {})

async function run(): Promise<void> {
  const file = process.env.POSTHASTE_BROKER_CONFIG
  const { POSTHASTE_BROKER_CONFIG: _, ...environment } = process.env
  const starting = startBroker(configured(file, environment), { log })
  const stop = (): void => {
    starting
      .then((broker) => broker.stop())
      .then(
        // tidy-allow process-exit: this is the program
        () => process.exit(0),
        (error: unknown) => fail(error),
      )
  }
  // Before it says that it is ready: whoever reads that may end it at once.
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const broker = await starting
  // Whoever starts it again gives it another try at the disk.
  void broker.failed.then(fail)
}

function configured(file: string | undefined, environment: NodeJS.ProcessEnv): BrokerConfig {
  return file ? configOf(readFileSync(file, 'utf8'), environment, file) : configOf(undefined, environment)
}

function fail(error: unknown): never {
  const { message, remedy } = PosthasteError.from(error, 'INTERNAL', 'the broker')
  write('error', message, { remedy })
  // tidy-allow process-exit: this is the program
  process.exit(1)
}

await run().catch(fail)
