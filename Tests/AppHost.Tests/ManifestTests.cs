namespace LlmMarketplace.AppHost.Tests;

/// <summary>What each service is told, as a deployment would get it.</summary>
public sealed class ManifestTests(Manifest manifest) : IClassFixture<Manifest>
{
    public static TheoryData<string> Services => ["identity", "publishing", "admin", "discovery", "consumption", "gateway"];

    public static TheoryData<string> OwnersOfDatabases => ["identity", "publishing", "admin", "discovery", "consumption"];

    [Theory]
    [MemberData(nameof(Services))]
    public void A_service_knows_who_it_is_whom_to_trust_and_how_events_travel(string service)
    {
        var environment = manifest.Environment(service);

        Assert.Equal("{public-address.value}", environment["Identity__Issuer"]);
        Assert.Equal($"svc-{service}", environment["Identity__Client__Id"]);
        Assert.Equal($"{{{service}-client-secret.value}}", environment["Identity__Client__Secret"]);
        Assert.Equal("Kafka", environment["Messaging__Transport"]);
        Assert.Equal("{kafka.connectionString}", environment["ConnectionStrings__kafka"]);
        Assert.Equal("{identity.bindings.http.url}", environment["services__identity__http__0"]);
        Assert.Equal($"{{{service}-client-secret.value}}", manifest.Environment("identity")[$"Identity__ServiceClients__{service}"]);
    }

    [Theory]
    [MemberData(nameof(OwnersOfDatabases))]
    public void A_service_reaches_its_database_as_a_role_without_rights_on_the_schema_and_only_its_migration_as_the_owner(string service)
    {
        var environment = manifest.Environment(service);
        var migration = manifest.Environment($"{service}-migrate");
        var role = manifest.Resources[$"{service}-database"].GetProperty("connectionString").GetString();

        Assert.Equal($"{{{service}-database.connectionString}}", environment[$"ConnectionStrings__{service}"]);
        Assert.DoesNotContain($"ConnectionStrings__{service}-owner", environment.Keys);
        Assert.Equal($"{{{service}-owner.connectionString}}", migration[$"ConnectionStrings__{service}-owner"]);
        Assert.Equal($"{{{service}-database.connectionString}}", migration[$"ConnectionStrings__{service}"]);
        Assert.Contains($"Database={service};Username={service}_app;Password={{{service}-database-password.value}}", role, StringComparison.Ordinal);
        Assert.Equal(["--migrate"], manifest.Resources[$"{service}-migrate"].GetProperty("args").EnumerateArray().Select(argument => argument.GetString()));
    }

    [Fact]
    public void No_service_gets_another_ones_database_except_the_gateway_which_answers_calls_from_consumptions()
    {
        var others = Services.SelectMany(service => manifest.Environment(service.Data).Keys
            .Where(key => key.StartsWith("ConnectionStrings__", StringComparison.Ordinal) && key is not "ConnectionStrings__kafka" and not "ConnectionStrings__redis")
            .Where(key => key != $"ConnectionStrings__{service.Data}")
            .Select(key => $"{service.Data}: {key}"));

        Assert.Equal(["gateway: ConnectionStrings__consumption"], others);
    }

    [Fact]
    public void Keys_go_only_to_the_services_that_use_them()
    {
        string[] Holders(string key) => [.. Services.Select(service => service.Data).Where(service => manifest.Environment(service).ContainsKey(key))];

        Assert.Equal(["identity"], Holders("Keys__Identity"));
        Assert.Equal(["publishing", "consumption", "gateway"], Holders("Keys__ProviderSecrets"));
        Assert.Equal(["consumption", "gateway"], Holders("Keys__ApiKeyHmac"));
    }

    [Fact]
    public void The_gateway_knows_the_address_of_every_service()
    {
        var environment = manifest.Environment("gateway");

        Assert.All(OwnersOfDatabases, service => Assert.Equal($"{{{service.Data}.bindings.http.url}}", environment[$"services__{service.Data}__http__0"]));
    }

    [Fact]
    public void Only_the_gateway_is_reachable_from_outside()
    {
        var external = manifest.Resources
            .Where(resource => resource.Value.TryGetProperty("bindings", out var bindings)
                && bindings.EnumerateObject().Any(binding => binding.Value.TryGetProperty("external", out var isExternal) && isExternal.GetBoolean()))
            .Select(resource => resource.Key);

        Assert.Equal(["gateway"], external);
    }

    [Fact]
    public void No_secret_is_written_down()
    {
        var secrets = manifest.Resources.Values
            .Where(resource => resource.GetProperty("type").GetString() == "parameter.v0")
            .Select(resource => resource.GetProperty("inputs").GetProperty("value"))
            .Where(input => input.TryGetProperty("secret", out var secret) && secret.GetBoolean())
            .ToList();

        Assert.True(secrets.Count > 15, $"{secrets.Count} secrets");
        Assert.All(secrets, secret => Assert.False(secret.TryGetProperty("default", out var value) && value.TryGetProperty("value", out _), secret.ToString()));
    }
}
