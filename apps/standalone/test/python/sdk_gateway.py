"""A gateway that uses ThingsBoard's Python SDK to speak for the devices behind it."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

from said import go_on, say, told, wait_until
from tb_gateway_mqtt import TBGatewayMqttClient

gateway = TBGatewayMqttClient('127.0.0.1', int(told('MQTT_PORT')), told('TOKEN'))
pushed = []


def on_command(client, content):
    say('command', content)
    data = content['data']
    client.gw_send_rpc_reply(content['device'], data['id'], {'did': data['method'], 'with': data['params']})


def on_attributes(content):
    pushed.append(content)
    say('pushed', pushed)


gateway.gw_set_server_side_rpc_request_handler(on_command)
gateway.connect()
wait_until(gateway.is_connected, 'it is connected')
wait_until(lambda: gateway.rate_limits_received, 'it has its limits')
wait_until(lambda: not gateway.get_subscriptions_in_progress(), 'it is subscribed')

say('connected', gateway.gw_connect_device('meter A', 'meter').get())
gateway.gw_subscribe_to_all_attributes(on_attributes)
now = int(time.time() * 1000)
say('telemetry', [
    gateway.gw_send_telemetry('meter A', {'ts': now, 'values': {'energy': 5}}).get(),
    gateway.gw_send_telemetry('meter A', [{'power': 1}, {'ts': now, 'values': {'voltage': 230}}]).get(),
    gateway.gw_send_telemetry('meter B', {'energy': 7}).get(),
])
say('reported', gateway.gw_send_attributes('meter A', {'model': 'm'}).get())

answers = []
gateway.gw_request_client_attributes('meter A', ['model'], lambda content, error: answers.append(content))
wait_until(lambda: len(answers) == 1, 'the attribute is there')
gateway.gw_request_shared_attributes('meter A', ['none', 'nothing'], lambda content, error: answers.append(content))
wait_until(lambda: len(answers) == 2, 'the attributes are not there')
say('attributes', answers)
say('claimed', gateway.gw_claim('meter B', 'a secret of B', 60000).get())
say('own', gateway.send_telemetry({'load': 0.5}).get())
say('ready')
while not os.path.exists('disconnect'):
    time.sleep(0.05)
say('disconnected', gateway.gw_disconnect_device('meter A').get())
go_on()
