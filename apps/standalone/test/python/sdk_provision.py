"""Devices that provision themselves with ThingsBoard's Python SDK, over MQTT and HTTP."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from said import say, told
from tb_device_http import TBHTTPDevice
from tb_device_mqtt import TBDeviceMqttClient

port, key, secret = int(told('MQTT_PORT')), told('KEY'), told('SECRET')


def provision(**asked):
    return TBDeviceMqttClient.provision('127.0.0.1', key, secret, port=port, **asked)


token = provision(device_name='by mqtt')
say('token', token)
say('basic', provision(device_name='by mqtt basic', client_id='c1', username='u1', password='a password of ours'))
say('again', provision(device_name='by mqtt'))
say('gateway', provision(device_name='a gateway', gateway=True))
device = TBHTTPDevice.provision(told('URL'), 'by http', key, secret)
device.send_telemetry({'temperature': 4}, queued=False)

client = TBDeviceMqttClient('127.0.0.1', port, token['credentialsValue'])
client.connect()
say('telemetry', client.send_telemetry({'temperature': 5}).get())
client.disconnect()
client.stop()
say('ready')
