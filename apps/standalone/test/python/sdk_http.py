"""A device that uses the HTTP part of ThingsBoard's Python SDK."""
import os
import sys
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(__file__))

from said import go_on, make_checks_of_firmware, say, told
from tb_device_http import TBHTTPDevice

device = TBHTTPDevice(told('URL'), told('TOKEN'), 'http', chunk_size=int(told('CHUNK_BYTES')))
say('connected', device.connect())
device.send_telemetry({'temperature': 3}, timestamp=datetime.now(timezone.utc), queued=False)
device.send_attributes({'model': 'h'})
say('attributes', device.request_attributes(client_keys=['model'], shared_keys=['interval']))
say('reply', device.send_rpc('getSessionLimits'))


def on_command(content):
    device.send_rpc(name='done', params=content['params'], rpc_id=content['id'])
    say('command', content)


device.subscribe('rpc', on_command)
device.subscribe('attributes', lambda content: say('pushed', content))
say('ready')
if os.environ.get('FIRMWARE'):
    make_checks_of_firmware(succeed_at_first=True)
    device.get_firmware_update()
    say('firmware', {'bytes': os.path.getsize(told('FIRMWARE'))})
go_on()
