import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from '../folder.ts'
import { run } from '../sources/command.ts'
import { kafkaJars, mavenProgram } from '../sources/maven.ts'
import { findExecutable } from '../sources/path.ts'

/** A command line without what is to be said to the program. */
export type CommandLine = readonly [string, ...string[]]

/**
 * Calls the Python client of RabbitMQ, after installing `pika` into an environment of its own; `undefined` where there
 * is no Python.
 * @throws Error with the output of pip when that fails
 */
export async function pythonClient(): Promise<CommandLine | undefined> {
  const python = findExecutable('python3')
  if (!python) return undefined
  const environment = join(folder('programs'), 'pika')
  if (!existsSync(environment)) {
    const draft = `${environment}.draft`
    rmSync(draft, { recursive: true, force: true })
    await run([python, '-m', 'venv', draft])
    await run([join(draft, 'bin/python'), '-m', 'pip', 'install', '--quiet', 'pika>=1.3,<2'])
    renameSync(draft, environment)
  }
  return [join(environment, 'bin/python'), join(import.meta.dirname, 'amqp_client.py')]
}

/**
 * Calls the Java client of Kafka, which Java compiles as it starts; `undefined` where there is no Java that compiles, or
 * no Maven to fetch the jars with.
 * @throws Error with the output of mvn when that fails
 */
export async function javaClient(): Promise<CommandLine | undefined> {
  const java = findExecutable('java')
  if (!java || !(await run([java, '--list-modules'])).includes('jdk.compiler')) return undefined
  const jars = await mavenProgram(kafkaJars)
  if (!jars) return undefined
  // Quick to start rather than quick to run.
  const options = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
  return [java, ...options, '-cp', join(jars, '*'), join(import.meta.dirname, 'KafkaInterop.java')]
}
