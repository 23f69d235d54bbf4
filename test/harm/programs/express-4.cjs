require('./express.cjs')(require('express-4'));
