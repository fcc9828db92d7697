"""A device that uses ThingsBoard's Python SDK for everything that it is for."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

from said import go_on, make_checks_of_firmware, say, told, wait_until
from tb_device_mqtt import TBDeviceMqttClient

client = TBDeviceMqttClient('127.0.0.1', int(told('MQTT_PORT')), told('TOKEN'), chunk_size=int(told('CHUNK_BYTES')))


def on_command(request_id, body):
    say('command', body)
    if body['method'] == 'fail':
        client.send_rpc_reply(request_id, {'error': 'jammed'})
    elif body['method'] != 'silence':
        client.send_rpc_reply(request_id, {'did': body['method'], 'with': body['params']})


pushed = []


def on_attributes(content, _exception):
    pushed.append(content)
    say('pushed', pushed)


client.set_server_side_rpc_request_handler(on_command)
client.subscribe_to_all_attributes(on_attributes)
client.connect()
wait_until(client.is_connected, 'it is connected')
wait_until(lambda: client.rate_limits_received, 'it has its limits')

if os.environ.get('FIRMWARE'):
    make_checks_of_firmware(succeed_at_first=told('CHECKS') == 'succeed')
    client.get_firmware_update()
    title = told('FIRMWARE')
    say('ready')
    while client.current_firmware_info['fw_state'] != 'UPDATED':
        time.sleep(0.05)
    say('firmware', {'bytes': os.path.getsize(title), 'version': client.current_firmware_info['current_fw_version']})
    go_on()

say('limits', {'payload': client.max_payload_size, 'inflight': client._client._max_inflight_messages})

now = int(time.time() * 1000)
sent = [
    client.send_telemetry({'temperature': 21.5, 'on': True, 'text': 'x', 'nested': {'a': [1, 2]}, 'nothing': float('nan')}),
    client.send_telemetry({'ts': now - 5000, 'values': {'past': 1}}),
    client.send_telemetry([{'ts': now - 4000, 'values': {'humidity': 40}}, {'ts': now - 3000, 'values': {'humidity': 41}}]),
]
say('telemetry', [info.get() for info in sent])
say('reported', client.send_attributes({'model': 'x', 'config': {'a': 1}}).get())

answers = []
client.request_attributes(['model', 'none'], ['interval'], lambda content, error: answers.append(content))
wait_until(lambda: answers, 'its attributes are there')
say('attributes', answers[0])

replies = []
client.send_rpc_call('getTime', {}, lambda _, content, error: replies.append(content))
wait_until(lambda: replies, 'its call is answered')
say('reply', replies[0])

say('claimed', client.claim('a secret', 60000).get())
say('ready')

go_on()
