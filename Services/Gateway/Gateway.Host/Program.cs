using LlmMarketplace.Consumption;
using LlmMarketplace.Gateway;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("gateway");
builder.AddGateway();
builder.AddConsumptionCalls(); // /v1 is answered here: no second hop on the hot path.
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapGateway();
app.MapConsumptionCalls();
return await app.RunOrMigrateAsync(args);
