using Microsoft.Extensions.Options;

namespace LlmMarketplace.Identity.Tests;

public sealed class StartTests(SharedIdentity shared)
{
    [Theory]
    [InlineData("Identity:Administrator:Email", null, "Identity:Administrator:Email")]
    [InlineData("Identity:Administrator:Password", null, "Identity:Administrator:Password")]
    [InlineData("Identity:Administrator:Password", "short", "12 to 256")]
    public async Task Without_an_administrator_the_first_start_is_refused_and_says_what_to_set(string setting, string? value, string said)
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => IdentityApp.StartAsync(shared.Postgres, settings => settings[setting] = value));

        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Identity:Issuer", null)]
    [InlineData("Identity:Issuer", "https://market.test/below/")]
    [InlineData("Identity:Issuer", "ftp://market.test/")]
    [InlineData("Identity:BootstrapClient:Secret", null)]
    [InlineData("Identity:BootstrapClient:Secret", "short")]
    [InlineData("Identity:BootstrapClient:Id", "svc-publishing")]
    [InlineData("Identity:ServiceClients:publishing", "short")]
    [InlineData("Identity:RateLimits:SignInAttemptsPerMinute", "0")]
    [InlineData("Identity:TrustedProxies:0", "somewhere")]
    public async Task A_setting_that_cannot_be_is_refused_at_the_start_by_its_name(string setting, string? value)
    {
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => IdentityApp.StartAsync(shared.Postgres, settings => settings[setting] = value));

        Assert.True(refused is OptionsValidationException or AggregateException { InnerExceptions: [OptionsValidationException, ..] }, refused.ToString());
        Assert.Contains(string.Join(':', setting.Split(':').Take(2)), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_that_is_not_migrated_is_refused_and_said()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => IdentityApp.StartAsync(database, IdentityApp.DefaultSettings(), migrate: false));

        Assert.Contains("--migrate", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_start_changes_nothing_but_secrets_that_were_set_anew()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");
        var settings = IdentityApp.DefaultSettings();
        await (await IdentityApp.StartAsync(database, settings)).StopAsync();
        settings["Identity:Administrator:Password"] = "another password for nothing";
        settings["Identity:ServiceClients:publishing"] = "a new secret for publishing";
        settings["Identity:BootstrapClient:Secret"] = "a new secret for bootstrap";

        await using var app = await IdentityApp.StartAsync(database, settings);

        Assert.Equal(["1"], await app.SqlAsync("SELECT count(*) FROM users"));
        Assert.Equal(["operator Restricted Enterprise 1"], await app.SqlAsync("SELECT slug || ' ' || clearance || ' ' || tier || ' ' || version FROM organisations"));
        Assert.Equal(["1"], await app.SqlAsync("SELECT count(*) FROM messaging.outbox"));
        Assert.Equal(200, (await new Browser(app).TokenAsync(IdentityApp.AdministratorEmail, IdentityApp.AdministratorPassword)).Status);
        Assert.Equal(401, (await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, "internal:admin")).Status);
        Assert.Equal(200, (await app.ClientTokenAsync("svc-publishing", "a new secret for publishing", "internal:admin")).Status);
        Assert.Equal(401, (await app.ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret)).Status);
        Assert.Equal(200, (await app.ClientTokenAsync(IdentityApp.BootstrapId, "a new secret for bootstrap")).Status);
    }

    [Fact]
    public async Task A_service_that_is_no_longer_configured_gets_no_tokens()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");
        var settings = IdentityApp.DefaultSettings();
        await (await IdentityApp.StartAsync(database, settings)).StopAsync();
        settings.Remove("Identity:ServiceClients:publishing");

        await using var app = await IdentityApp.StartAsync(database, settings);

        Assert.Equal(400, (await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, "internal:admin")).Status);
    }

    [Fact]
    public async Task Instances_that_start_at_once_make_everything_once()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");
        var settings = IdentityApp.DefaultSettings();

        var apps = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => IdentityApp.StartAsync(database, settings)));

        Assert.Equal(["1"], await apps[0].SqlAsync("SELECT count(*) FROM organisations"));
        Assert.Equal(["1"], await apps[0].SqlAsync("SELECT count(*) FROM memberships"));
        Assert.Equal(["2"], await apps[0].SqlAsync("SELECT count(*) FROM keys"));
        Assert.Equal(["4"], await apps[0].SqlAsync("SELECT count(*) FROM openiddict_applications"));
        var token = (await apps[0].ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret)).Body.GetProperty("access_token").GetString();
        foreach (var app in apps)
        {
            (await app.ApiWith(token).GetAsync("/api/v1/me")).Expect(200);
            await app.StopAsync();
        }
    }
}
