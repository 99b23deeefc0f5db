import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from '../folder.ts'
import { run } from './command.ts'
import { executableOf } from './debian.ts'

/** Java programs, at one version: all artifacts of one group. */
export interface MavenProgram {
  readonly name: string
  readonly group: string
  readonly artifacts: readonly string[]
  readonly version: string
}

/** The jars of Kafka with everything they need at run time. */
export const kafkaJars: MavenProgram = {
  name: 'kafka',
  group: 'org.apache.kafka',
  artifacts: ['kafka_2.13'],
  version: '4.2.0',
}

/**
 * The folder with the jars of a program and of all it depends on, fetched once; `undefined` where Maven is not
 * installed and cannot be.
 * @throws Error with the output of mvn
 */
export async function mavenProgram(program: MavenProgram): Promise<string | undefined> {
  const dir = folder('programs', `${program.name}-${program.version}`)
  const jars = join(dir, 'lib')
  if (existsSync(jars)) return jars
  const mvn = await executableOf('mvn', 'maven')
  if (!mvn) return undefined
  writeFileSync(join(dir, 'pom.xml'), pom(program))
  // Fetched aside and moved, so that the jars are there as a whole or not at all.
  rmSync(`${jars}.draft`, { recursive: true, force: true })
  await run([mvn, '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib.draft', '-DincludeScope=runtime'], {
    cwd: dir,
  })
  renameSync(`${jars}.draft`, jars)
  return jars
}

/** A project that consists of nothing but what it depends on. */
export function pom({ name, group, artifacts, version }: MavenProgram): string {
  const dependencies = artifacts.map(
    (artifact) => `    <dependency>
      <groupId>${group}</groupId>
      <artifactId>${artifact}</artifactId>
      <version>${version}</version>
    </dependency>`,
  )
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>posthaste</groupId>
  <artifactId>${name}</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
${dependencies.join('\n')}
  </dependencies>
</project>
`
}
