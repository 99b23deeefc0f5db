import { describe, expect, it } from 'vitest'
import { kafkaJars, pom } from './maven.ts'
import { missing } from './missing.ts'

describe('the project of a Java program', () => {
  it('depends on each of its artifacts', () => {
    const text = pom({ ...kafkaJars, artifacts: ['one', 'two'] })
    expect(text.match(/<groupId>org\.apache\.kafka<\/groupId>/g)).toHaveLength(2)
    expect(text).toMatch(/<artifactId>one<\/artifactId>\s+<version>4\.2\.0<\/version>/)
    expect(text).toMatch(/<artifactId>two<\/artifactId>\s+<version>4\.2\.0<\/version>/)
  })
})

describe('a server that is not installed', () => {
  it('is told with every way to get it, containers included', () => {
    expect(missing('redis', ['install Redis']).message).toMatch(
      /^redis is not installed.*\n {2}- install Redis\n {2}- .*docker compose up --detach redis \(see compose\.yaml\)$/,
    )
  })
})
