// The command channel: JSON lines in on standard input, out on standard output.

import { createInterface } from 'node:readline'

// Libraries may print; only this module writes to standard output.
console.log = console.info = console.debug = console.error

export class BadRequest extends Error {}
export class Unsupported extends Error {}

export function emit (event, fields) {
  writeLine({ event, ...fields })
}

/** Answer requests with `handle(request)`; returns when standard input ends. */
export async function serve (handle) {
  for await (const line of createInterface({ input: process.stdin })) {
    answer(line, handle)
  }
}

async function answer (line, handle) {
  let id = null
  try {
    const request = JSON.parse(line)
    id = request.id
    writeLine({ id, ok: await handle(request) ?? {} })
  } catch (error) {
    console.error(`request ${line}:`, error)
    writeLine({ id, error: `${error.name}: ${error.message}`, kind: kindOf(error) })
  }
}

function kindOf (error) {
  if (error instanceof BadRequest || error instanceof SyntaxError) return 'bad-request'
  return error instanceof Unsupported ? 'unsupported' : 'failed'
}

function writeLine (message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}
