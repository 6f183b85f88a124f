using System.Text;
using LlmMarketplace.Identity.Keys;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace LlmMarketplace.Identity.Tests;

public sealed class KeyTests(SharedIdentity shared)
{
    [Fact]
    public async Task A_restart_keeps_keys_sessions_and_tokens()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");
        var settings = IdentityApp.DefaultSettings();
        var first = await IdentityApp.StartAsync(database, settings);
        var browser = new Browser(first);
        var (_, tokens) = await browser.TokenAsync(IdentityApp.AdministratorEmail, IdentityApp.AdministratorPassword);
        var keys = await KeyIdsAsync(first);
        await first.StopAsync();

        await using var second = await IdentityApp.StartAsync(database, settings);

        Assert.Equal(keys, await KeyIdsAsync(second));
        (await second.ApiWith(tokens.GetProperty("access_token").GetString()).GetAsync("/api/v1/me")).Expect(200);
        Assert.Equal(200, (await second.TokenAsync(
            ("grant_type", "refresh_token"), ("client_id", "marketplace-cli"), ("refresh_token", tokens.GetProperty("refresh_token").GetString()!))).Status);
        var again = browser.At(second);
        await again.GoAsync(again.AuthorizeAddress());
        Assert.NotNull(again.LeftWith("code"));
    }

    [Fact]
    public async Task Another_master_key_refuses_to_start_and_says_so()
    {
        await using var database = await shared.Postgres.CreateDatabaseAsync("identity");
        var settings = IdentityApp.DefaultSettings();
        await (await IdentityApp.StartAsync(database, settings)).StopAsync();
        settings["Keys:Identity"] = IdentityApp.DefaultSettings()["Keys:Identity"];

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => IdentityApp.StartAsync(database, settings));

        Assert.Contains("Keys:Identity", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("not base64")]
    [InlineData("dG9vIHNob3J0")]
    public async Task A_missing_master_key_refuses_to_start_and_says_how_to_make_one(string? key)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => IdentityApp.StartAsync(shared.Postgres, settings => settings["Keys:Identity"] = key));

        Assert.Contains("Keys:Identity", refused.Message, StringComparison.Ordinal);
        Assert.Contains("openssl rand", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_key_stands_in_the_database_in_the_clear()
    {
        var app = await shared.GetAsync();
        await new Browser(app).GoAsync("/signin"); // So that there is a data-protection key.

        var protection = await app.SqlAsync("SELECT xml FROM data_protection_keys");
        Assert.NotEmpty(protection);
        Assert.All(protection, xml => Assert.Contains("<sealed", xml, StringComparison.Ordinal));
        Assert.All(protection, xml => Assert.DoesNotContain("<masterKey", xml, StringComparison.Ordinal));
        var ring = app.App.Services.GetRequiredService<KeyRing>();
        var stored = (await app.SqlAsync("SELECT encode(sealed, 'hex') FROM keys")).Select(Convert.FromHexString).ToList();
        Assert.Equal(2, stored.Count);
        foreach (var key in ring.Keys)
        {
            var secret = key.Key is RsaSecurityKey rsa ? rsa.Parameters.P! : ((SymmetricSecurityKey)key.Key).Key;
            Assert.All(stored, bytes => Assert.Equal(-1, bytes.AsSpan().IndexOf(secret)));
        }
    }

    [Fact]
    public void What_is_sealed_opens_with_its_key_for_its_purpose_and_unchanged_only()
    {
        var master = new MasterKey(Options.Create(new MasterKeyOptions { Identity = IdentityApp.DefaultSettings()["Keys:Identity"] }));
        var data = master.Seal("one", "a secret"u8);

        Assert.Equal("a secret", Encoding.UTF8.GetString(master.Open("one", data)));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => master.Open("two", data));
        for (var i = 0; i < data.Length; i++)
        {
            var changed = data.ToArray();
            changed[i] ^= 1;
            Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => master.Open("one", changed));
        }
    }

    [Fact]
    public async Task Keys_rotate_in_all_instances_without_a_restart_and_what_the_old_ones_made_stays_good()
    {
        await using var one = await IdentityApp.StartAsync(shared.Postgres);
        await using var two = await IdentityApp.StartAsync(one.Database, one.Settings);
        var (_, tokens) = await new Browser(one).TokenAsync(IdentityApp.AdministratorEmail, IdentityApp.AdministratorPassword);
        var old = tokens.GetProperty("access_token").GetString()!;
        var oldKey = new JsonWebToken(old).Kid;

        // 89 days on: the next key is published, and not yet used.
        await one.SqlAsync("UPDATE keys SET active_from = active_from - interval '89 days 1 minute'");
        await RotateAsync(one, two);
        Assert.Equal(2, (await KeyIdsAsync(two)).Count);
        Assert.Equal(oldKey, await KeyInUseAsync(one));
        Assert.Equal(oldKey, await KeyInUseAsync(two));

        // A day later it is used, by all.
        await one.SqlAsync("UPDATE keys SET active_from = active_from - interval '1 day'");
        await RotateAsync(one, two);
        var newKey = await KeyInUseAsync(one);
        Assert.NotEqual(oldKey, newKey);
        Assert.Equal(newKey, await KeyInUseAsync(two));
        Assert.True(await IsGoodAsync(two, old));
        (await two.ApiWith(old).GetAsync("/api/v1/me")).Expect(200);
        var (status, refreshed) = await two.TokenAsync(
            ("grant_type", "refresh_token"), ("client_id", "marketplace-cli"), ("refresh_token", tokens.GetProperty("refresh_token").GetString()!));
        Assert.Equal(200, status);
        Assert.True(await IsGoodAsync(one, refreshed.GetProperty("access_token").GetString()!));

        // When nothing that it signed can be alive, the old one goes.
        await one.SqlAsync("UPDATE keys SET expires_at = expires_at - interval '9 days 1 minute'");
        await RotateAsync(one, two);
        Assert.Equal([newKey], await KeyIdsAsync(one));
        Assert.Equal([newKey], await KeyIdsAsync(two));
        Assert.False(await IsGoodAsync(two, old));
    }

    private static async Task RotateAsync(params IdentityApp[] apps)
    {
        foreach (var app in apps)
        {
            await app.App.Services.GetRequiredService<KeyRotation>().RunOnceAsync(TestContext.Current.CancellationToken);
        }
    }

    private static async Task<JsonWebKeySet> KeysAsync(IdentityApp app) => new((await app.ApiWith(null).GetAsync("/.well-known/jwks")).Expect(200).Body.ToString());

    private static async Task<List<string>> KeyIdsAsync(IdentityApp app) => [.. (await KeysAsync(app)).Keys.Select(key => key.Kid)];

    private static async Task<string> KeyInUseAsync(IdentityApp app) =>
        new JsonWebToken((await app.ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret)).Body.GetProperty("access_token").GetString()).Kid;

    private static async Task<bool> IsGoodAsync(IdentityApp app, string token) => (await new JsonWebTokenHandler().ValidateTokenAsync(token, new TokenValidationParameters
    {
        ValidIssuer = IdentityApp.Issuer,
        ValidAudience = "llm-marketplace",
        IssuerSigningKeys = (await KeysAsync(app)).GetSigningKeys(),
    })).IsValid;
}
