using LlmMarketplace.Consumption;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("consumption");
builder.AddConsumption();
builder.AddBackingClients();

var app = builder.Build();
app.MapServiceDefaults();
app.MapConsumption();
return await app.RunOrMigrateAsync(args);
