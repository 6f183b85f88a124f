using LlmMarketplace.AppHost;

var builder = DistributedApplication.CreateBuilder(args);

// What an operator decides. On a developer's machine everything has a default that is kept in the user secrets; a deployment is asked.
var administratorEmail = builder.AddSetting("administrator-email", "admin@llm-marketplace.local");
var administratorPassword = builder.AddPassword("administrator-password");
var bootstrapClientSecret = builder.AddSecret("bootstrap-client-secret");
var localProviderApiKey = builder.AddSecret("local-provider-api-key");
var clickHousePassword = builder.AddSecret("clickhouse-password");
var identityKey = builder.AddKey("identity-key");
var providerSecretsKey = builder.AddKey("provider-secrets-key");
var apiKeyHmacKey = builder.AddKey("api-key-hmac-key");

// Backing servers.
var postgres = builder.AddPostgres("postgres")
    .WithImageTag("18.3")
    .WithArgs("-c", "max_connections=300") // Six programs with a pool each.
    .WithDataVolume();
var redis = builder.AddRedis("redis")
    .WithImageTag("8.6")
    .WithoutHttpsCertificate() // Loopback only: the same with and without a development certificate.
    .WithDataVolume();
var kafka = builder.AddKafka("kafka")
    .WithImageTag("8.2.0")
    .WithDataVolume();

// Backing servers that no service uses yet: they start on request.
builder.AddElasticsearch("elasticsearch")
    .WithImageTag("8.17.3")
    .WithEnvironment("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
    .WithDataVolume()
    .WithExplicitStart();
var clickHouse = builder.AddContainer("clickhouse", "clickhouse/clickhouse-server", "25.8.26.11");
clickHouse
    .WithImageRegistry("docker.io")
    .WithHttpEndpoint(targetPort: 8123)
    .WithEnvironment("CLICKHOUSE_DB", "analytics")
    .WithEnvironment("CLICKHOUSE_USER", "analytics")
    .WithEnvironment("CLICKHOUSE_PASSWORD", clickHousePassword)
    .WithVolume(VolumeNameGenerator.Generate(clickHouse, "data"), "/var/lib/clickhouse")
    .WithHttpHealthCheck("/ping")
    .WithExplicitStart();

// The first provider: a real model behind an endpoint of its own.
var localProvider = builder.AddProject<Projects.LocalProvider>("local-provider", launchProfileName: null)
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithEnvironment("LocalProvider__ApiKey", localProviderApiKey);

// The only public door. Every token names its address, so it comes before the services.
var gateway = builder.AddProject<Projects.Gateway_Host>("gateway", launchProfileName: null)
    .WithHttpEndpoint(port: 8080)
    .WithExternalHttpEndpoints();
var publicAddress = builder.AddPublicAddress("public-address", gateway);

// The services. Each has a database of its own, which `{service}-migrate` brings up to date before the service starts.
var marketplace = new Marketplace(builder, postgres, publicAddress, ["identity", "publishing", "admin", "discovery", "consumption", "gateway"]);
var identity = marketplace.AddService<Projects.Identity_Host>("identity", service => service
        .WithReference(kafka)
        .WithEnvironment("Keys__Identity", identityKey)
        .WithEnvironment("Identity__Administrator__Email", administratorEmail)
        .WithEnvironment("Identity__Administrator__Password", administratorPassword)
        .WithEnvironment("Identity__BootstrapClient__Id", "bootstrap")
        .WithEnvironment("Identity__BootstrapClient__Secret", bootstrapClientSecret)
        .WithServiceClients(marketplace))
    .WithReferenceToItself()
    .WaitFor(kafka);
var publishing = marketplace.AddService<Projects.Publishing_Host>("publishing", service => service
        .WithReference(identity)
        .WithReference(kafka)
        .WithLocalProvider("embedding", localProvider, organisation: "local-models")
        .WithEnvironment("Keys__ProviderSecrets", providerSecretsKey))
    .WaitFor(kafka);
var admin = marketplace.AddService<Projects.Admin_Host>("admin", service => service
        .WithReference(identity)
        .WithReference(kafka))
    .WaitFor(kafka);
var discovery = marketplace.AddService<Projects.Discovery_Host>("discovery", service => service
        .WithReference(identity)
        .WithReference(kafka))
    .WaitFor(kafka);
var consumption = marketplace.AddService<Projects.Consumption_Host>("consumption", service => service
        .WithReference(identity)
        .WithReference(kafka)
        .WithReference(redis)
        .WithLocalProvider("embedding", localProvider, organisation: "local-models")
        .WithEnvironment("Keys__ProviderSecrets", providerSecretsKey)
        .WithEnvironment("Keys__ApiKeyHmac", apiKeyHmacKey))
    .WaitFor(kafka)
    .WaitFor(redis);

// The gateway answers /v1 itself, from Consumption's data. Its usage log has to outlive it, and belongs to that database: here a folder, in a deployment a volume mounted at that path.
var usageLog = builder.ExecutionContext.IsPublishMode
    ? "/var/lib/llm-marketplace/usage-log"
    : builder.Configuration["UsageLog:Directory"] ?? Path.Combine(builder.AppHostDirectory, "obj", "usage-log");
gateway
    .WithServiceSettings("gateway", marketplace)
    .WithReference(identity)
    .WithReference(publishing)
    .WithReference(admin)
    .WithReference(discovery)
    .WithReference(consumption)
    .WithReference(marketplace.Database("consumption"), "consumption")
    .WithReference(redis)
    .WithReference(kafka)
    .WithLocalProvider("embedding", localProvider, organisation: "local-models")
    .WithEnvironment("Keys__ProviderSecrets", providerSecretsKey)
    .WithEnvironment("Keys__ApiKeyHmac", apiKeyHmacKey)
    .WithEnvironment("Metering__LogDirectory", usageLog)
    .WaitFor(identity)
    .WaitFor(publishing)
    .WaitFor(admin)
    .WaitFor(discovery)
    .WaitFor(consumption)
    .WaitFor(redis)
    .WithHttpHealthCheck("/health/ready");
if (builder.ExecutionContext.IsPublishMode)
{
    gateway.WithEnvironment("Calls__StopNotice", "00:00:05"); // Until nobody sends it calls any more, of those who spread them.
}

// Publishes samples/catalogue.yaml through the public door, once; what it did and the key it got lie in this folder.
var firstRun = builder.Configuration["FirstRun:Directory"] ?? Path.Combine(builder.AppHostDirectory, "obj", "first-run");
builder.AddProject<Projects.FirstRun>("first-run", launchProfileName: null)
    .WithEnvironment("FirstRun__Address", publicAddress)
    .WithEnvironment("FirstRun__Client__Id", "bootstrap")
    .WithEnvironment("FirstRun__Client__Secret", bootstrapClientSecret)
    .WithEnvironment("FirstRun__StateFile", Path.Combine(firstRun, "first-run.state"))
    .WithEnvironment("FirstRun__ResultFile", Path.Combine(firstRun, "first-run.json"))
    .WithEnvironment("LocalProvider__ApiKey", localProviderApiKey)
    .WaitFor(gateway)
    .WaitFor(localProvider)
    .ExcludeFromManifest(); // Its result is a file for the person in front of it.

builder.Build().Run();
