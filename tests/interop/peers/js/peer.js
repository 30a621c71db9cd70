// A js-libp2p node that a test drives over standard input and output; see ../../README.md.

import './promises.js'
import { serve } from './channel.js'
import { Commands } from './commands.js'

// js-libp2p rejects some promises that nobody awaits when a connection is cut; a peer lives on.
process.on('unhandledRejection', error => console.error('unhandled rejection:', error))

const commands = new Commands()
await serve(request => commands.handle(request))
await commands.stop()
process.exit(0)
