import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An authority, and certificates of it for a server on loopback and for a client, as files in a folder of a directory. */
export function certificatesIn(root: string): string {
  const dir = join(root, 'tls')
  if (existsSync(dir)) return dir
  mkdirSync(dir)
  const openssl = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
  openssl(`req -x509 ${key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority`)
  writeFileSync(join(dir, 'ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  for (const name of ['server', 'client']) {
    openssl(`req ${key} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
    const signed = `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -days 2`
    openssl(`${signed} -out ${name}.pem`)
  }
  return dir
}
