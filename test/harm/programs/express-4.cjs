const { application } = require('./express.cjs');

application(require('express-4'));
