using LlmMarketplace.Publishing;
using LlmMarketplace.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("publishing");
builder.AddPublishing();
builder.AddBackingClients();
var app = builder.Build();
app.MapServiceDefaults();
app.MapPublishing();
return await app.RunOrMigrateAsync(args);
