-- A store with the tables of version 2, as release 0.1.0 upgraded it.
BEGIN TRANSACTION;
CREATE TABLE campaigns (
	id VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	position INTEGER NOT NULL CHECK (position >= 0), 
	digest VARCHAR(64) NOT NULL, 
	created_at VARCHAR(24) NOT NULL, 
	archived INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "campaigns" VALUES('df4150a021b643c88a3c5d1f724ac1d6','alloys',14,'89e20e204df53c926840552a0e2b453ab04190d1a5ae58dacd11db3eef34377a','2026-11-21T09:00:00.000Z',0);
CREATE TABLE claims (
	campaign VARCHAR(32) NOT NULL, 
	task TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	until VARCHAR(24) NOT NULL, 
	PRIMARY KEY (campaign, task), 
	FOREIGN KEY(campaign) REFERENCES campaigns (id) ON DELETE CASCADE
);
CREATE TABLE events (
	campaign VARCHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	part INTEGER NOT NULL, 
	request TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	v INTEGER NOT NULL, 
	at VARCHAR(24) NOT NULL, 
	"by" TEXT NOT NULL, 
	body TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	PRIMARY KEY (campaign, position), 
	UNIQUE (campaign, request, part), 
	FOREIGN KEY(campaign) REFERENCES campaigns (id) ON DELETE CASCADE
);
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',1,0,'@1','Created',1,'2026-11-21T09:00:00.000Z','anna','{"annotation":{},"batch":4,"budget":null,"cost":{"fail":"full","row":1.0,"unit":"labels"},"lease_s":1800.0,"name":"alloys","pool":{"chunks":[],"columns":[],"fingerprint":"0000000000000000000000000000000000000000000000000000000000000040","key":null,"n":40},"recipe":{},"seed":0,"show":{},"stopping":{},"target":{"high":2500,"kind":"number","low":0,"name":"strength","unit":"MPa"},"task":"regression","versions":{"strongsuit":"0.1.0"}}','90e0eb8da58b8f9e3ecbc3c1ef633e03ac9a492d62c59e5aefc3833cee0b762e');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',2,0,'first','Proposed',1,'2026-11-21T09:00:00.000Z','anna','{"basis":1,"degraded":false,"dropped":[],"guard":{"test":0},"model":"none","round":1,"rows":[{"cluster":null,"gain":null,"key":"K0","mean":null,"rank":0,"row":0,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K33","mean":null,"rank":1,"row":33,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K17","mean":null,"rank":2,"row":17,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K13","mean":null,"rank":3,"row":13,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"}],"seconds":0.0,"strategy":"random"}','c49ff9fa560c7dbb682045222fc4f9cc925d12632ec89588f662615b6e6be416');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',3,1,'first','Asked',1,'2026-11-21T09:00:00.000Z','anna','{"costs":[1.0,1.0,1.0],"round":1,"rows":[0,33,17],"to":"anna","until":"2026-11-21T09:30:00.000Z"}','24de5df7129c3f0a48cca54704700cc8554901e9a2006d09cdaa333207e4af5d');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',4,0,'@4','Told',1,'2026-11-21T09:00:00.000Z','anna','{"asked":true,"cost":1.0,"note":"äöü","row":0,"seconds":null,"value":1.5}','2df5dc147722984f0420a19e30fc9db77360e55444e8d83811ad1e6a51a73983');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',5,1,'@4','Told',1,'2026-11-21T09:00:00.000Z','anna','{"asked":true,"cost":1.0,"note":"äöü","row":33,"seconds":null,"value":1.5}','04325fa0ae857901eac90d2ef5d3e5b665aae9482e6a86409a679cb47bd0d187');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',6,2,'@4','Told',1,'2026-11-21T09:00:00.000Z','anna','{"asked":true,"cost":1.0,"note":"äöü","row":17,"seconds":null,"value":1.5}','8d2f644c9c45fc633ab0448039a35597489cb1a53b1a7071362685f9a13a8c2f');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',7,0,'@7','Revised',1,'2026-11-21T09:00:00.000Z','anna','{"note":"","of":4,"row":0,"value":2.5}','9e07e99580fd1e0d4070e7bc7ddced388a6fd8fc1a514fcc22acd0400253b75b');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',8,0,'@8','Queued',1,'2026-11-21T09:00:00.000Z','olga','{"note":"","rows":[5]}','db69e9838cdd5adfe9a0a9159189000c44e90aa47776c4d11ddbeaedc061c7fb');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',9,0,'@9','Proposed',1,'2026-11-21T09:00:00.000Z','bob','{"basis":8,"degraded":false,"dropped":[],"guard":{"test":0},"model":"none","round":2,"rows":[{"cluster":null,"gain":null,"key":"K38","mean":null,"rank":0,"row":38,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K10","mean":null,"rank":1,"row":10,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K25","mean":null,"rank":2,"row":25,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K34","mean":null,"rank":3,"row":34,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"}],"seconds":0.0,"strategy":"random"}','a4d411f161f85ac8fa39a15808a1a44a902149517e3e52d013d7d460d78a7ccd');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',10,1,'@9','Asked',1,'2026-11-21T09:00:00.000Z','bob','{"costs":[1.0],"round":null,"rows":[5],"to":"bob","until":"2026-11-21T09:30:00.000Z"}','5317876b339ef9762139e74122e3d99e25962fb5efeb11e25ab49f28c0afbe9b');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',11,2,'@9','Asked',1,'2026-11-21T09:00:00.000Z','bob','{"costs":[1.0,1.0,1.0],"round":2,"rows":[38,10,25],"to":"bob","until":"2026-11-21T09:30:00.000Z"}','0dcf435862eb09101b269d123189f73ee86cc5d741adbbbcbb56bd5ee8f36232');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',12,0,'@12','Skipped',1,'2026-11-21T09:00:00.000Z','bob','{"reason":"","row":5}','01896765d1a827c987fa649184f0d0a851579b3f251294303f669e6c602da3aa');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',13,0,'@13','Failed',1,'2026-11-21T09:00:00.000Z','bob','{"attempt":1,"cost":1.0,"final":false,"reason":"x","retry_at":"2026-11-21T09:01:00.000Z","row":11}','780b296b05113ae3e179fe7bc47f199827582316edf29aed03b49724f28d24c5');
INSERT INTO "events" VALUES('df4150a021b643c88a3c5d1f724ac1d6',14,0,'@14','Closed',1,'2026-11-21T09:00:00.000Z','olga','{"open":false,"reason":""}','89e20e204df53c926840552a0e2b453ab04190d1a5ae58dacd11db3eef34377a');
CREATE TABLE links (
	campaign VARCHAR(32) NOT NULL, 
	system TEXT NOT NULL, 
	"row" INTEGER NOT NULL, 
	other TEXT NOT NULL, 
	PRIMARY KEY (campaign, system, "row"), 
	FOREIGN KEY(campaign) REFERENCES campaigns (id) ON DELETE CASCADE
);
INSERT INTO "links" VALUES('df4150a021b643c88a3c5d1f724ac1d6','label-studio',5,'17');
CREATE TABLE people (
	name TEXT NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	campaigns TEXT, 
	created_at VARCHAR(24) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "people" VALUES('anna','labeller','["alloys"]','2026-11-22T01:17:56.830Z');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	applied_at VARCHAR(24) NOT NULL, 
	package TEXT NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1,'2026-11-21T23:38:35.133Z','0.1.0');
INSERT INTO "schema_version" VALUES(2,'2026-11-22T01:17:56.668Z','0.1.0');
CREATE TABLE snapshots (
	campaign VARCHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	"check" VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (campaign), 
	FOREIGN KEY(campaign) REFERENCES campaigns (id) ON DELETE CASCADE
);
INSERT INTO "snapshots" VALUES('df4150a021b643c88a3c5d1f724ac1d6',14,'89e20e204df53c926840552a0e2b453ab04190d1a5ae58dacd11db3eef34377a','2283a57f063276bf15c0260e54c97de556326a68e470bef4dd5834817b8b6623','{"answers":[[0,[["anna",["anna",2.5,7,"2026-11-21T09:00:00.000Z",1.0,true]]]],[33,[["anna",["anna",1.5,5,"2026-11-21T09:00:00.000Z",1.0,true]]]],[17,[["anna",["anna",1.5,6,"2026-11-21T09:00:00.000Z",1.0,true]]]]],"asked":[[0,1],[33,1],[17,1],[5,null],[38,2],[10,2],[25,2]],"begun":[[5,10],[38,11],[10,11],[25,11],[11,13]],"chosen":[],"closed":true,"curve":[],"excluded":[],"failures":[[11,["x",false,1,"2026-11-21T09:01:00.000Z"]]],"form":1,"leases":[[38,[["bob",["2026-11-21T09:30:00.000Z","2026-11-21T09:00:00.000Z",2,1.0]]]],[10,[["bob",["2026-11-21T09:30:00.000Z","2026-11-21T09:00:00.000Z",2,1.0]]]],[25,[["bob",["2026-11-21T09:30:00.000Z","2026-11-21T09:00:00.000Z",2,1.0]]]]],"queued":[],"requests":[["first",[2,3]]],"revised":[[0,7]],"round":2,"rounds":[{"at":"2026-11-21T09:00:00.000Z","basis":1,"degraded":false,"dropped":[],"guard":{"test":0},"model":"none","position":2,"round":1,"seconds":0.0,"size":4,"strategy":"random"},{"at":"2026-11-21T09:00:00.000Z","basis":8,"degraded":false,"dropped":[],"guard":{"test":0},"model":"none","position":9,"round":2,"seconds":0.0,"size":4,"strategy":"random"}],"settings":{"annotation":{},"batch":4,"budget":null,"cost":{"fail":"full","row":1.0,"unit":"labels"},"lease_s":1800.0,"name":"alloys","pool":{"chunks":[],"columns":[],"fingerprint":"0000000000000000000000000000000000000000000000000000000000000040","key":null,"n":40},"recipe":{},"seed":0,"show":{},"stopping":{},"target":{"high":2500,"kind":"number","low":0,"name":"strength","unit":"MPa"},"task":"regression","versions":{"strongsuit":"0.1.0"}},"skips":[[5,["bob"]]],"slate":[{"cluster":null,"gain":null,"key":"K38","mean":null,"rank":0,"row":38,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K10","mean":null,"rank":1,"row":10,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K25","mean":null,"rank":2,"row":25,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"},{"cluster":null,"gain":null,"key":"K34","mean":null,"rank":3,"row":34,"score":null,"source":"model","spread":null,"stands_for":null,"why":"they differ"}],"sources":[[0,["model",1]],[33,["model",1]],[17,["model",1]],[13,["model",1]],[38,["model",2]],[10,["model",2]],[25,["model",2]],[34,["model",2]]],"spent":[4,1]}');
CREATE TABLE tokens (
	id VARCHAR(32) NOT NULL, 
	person TEXT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	note TEXT NOT NULL, 
	created_at VARCHAR(24) NOT NULL, 
	until VARCHAR(24), 
	PRIMARY KEY (id), 
	FOREIGN KEY(person) REFERENCES people (name) ON DELETE CASCADE
);
INSERT INTO "tokens" VALUES('5690ae0180bcb4c1','anna','api','7f0ae15a64210b3d22d5430bd2d7efbcff06fc06d5204ea1d551fd2329456bbb','my script','2026-11-22T01:17:56.867Z',NULL);
COMMIT;
