"""ThingsBoard's IoT gateway as it is, with the configuration in TB_GW_CONFIG_DIR."""
from thingsboard_gateway.tb_gateway import main

main()
