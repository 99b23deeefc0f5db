import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A certificate and its key, as PEM. */
export interface Pem {
  readonly cert: string
  readonly key: string
}

/** An authority, made for one test. */
export class Authority {
  readonly ca: string
  readonly #dir = mkdtempSync(join(tmpdir(), 'link-tls-'))

  constructor(name: string) {
    onTestFinished(() => rmSync(this.#dir, { recursive: true, force: true }))
    this.#openssl(`req -x509 ${newKey} -keyout ca.key -out ca.pem -days 2 -subj /CN=${name}`)
    this.ca = this.#read('ca.pem')
  }

  /** A certificate for a server on loopback, or for whoever shows it. */
  sign(name: string): Pem {
    writeFileSync(join(this.#dir, 'ext'), 'subjectAltName=DNS:localhost,DNS:posthaste.test,IP:127.0.0.1\n')
    this.#openssl(`req ${newKey} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
    const serial = `-CAcreateserial -extfile ext -days 2`
    this.#openssl(`x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key ${serial} -out ${name}.pem`)
    return { cert: this.#read(`${name}.pem`), key: this.#read(`${name}.key`) }
  }

  #openssl(command: string): void {
    execFileSync('openssl', command.split(' '), { cwd: this.#dir, stdio: ['ignore', 'ignore', 'pipe'] })
  }

  #read(file: string): string {
    return readFileSync(join(this.#dir, file), 'utf8')
  }
}

const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
