using System.Net;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Identity.Tests;

public sealed partial class SignInPageTests(SharedIdentity shared)
{
    private const string Password = "a long enough password";

    [Fact]
    public async Task The_page_works_under_a_policy_that_allows_no_scripts_and_nothing_from_outside()
    {
        var app = await shared.GetAsync();
        var browser = new Browser(app);

        await browser.GoAsync("/signin");

        var policy = browser.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        var style = StylePattern().Match(browser.Body).Groups[1].Value;
        Assert.Contains(Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(style))), policy, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", browser.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("style=", browser.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", browser.Body, StringComparison.Ordinal);
        Assert.All(browser.SetCookies, cookie => Assert.Contains("secure", cookie, StringComparison.OrdinalIgnoreCase));
        Assert.All(browser.SetCookies, cookie => Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_form_without_its_antiforgery_token_signs_nobody_in()
    {
        var app = await shared.GetAsync();
        var email = Unique.Email();
        await (await app.AdministratorAsync()).UserAsync(email, Password);
        var browser = new Browser(app);
        await browser.GoAsync("/signin");

        await browser.PostAsync("/signin", ("email", email), ("password", Password));

        Assert.Equal(HttpStatusCode.BadRequest, browser.Status);
        await browser.GoAsync("/signin");
        Assert.DoesNotContain("You are signed in", browser.Body, StringComparison.Ordinal);
        await browser.SignInAsync(email, Password); // The same browser with the form's token: it is the token that made the difference.
        Assert.Contains("You are signed in", browser.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whatever_was_wrong_the_answer_is_the_same()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var (known, locked, paused) = (Unique.Email(), Unique.Email(), Unique.Email());
        await admin.UserAsync(known, Password);
        var lockedId = await admin.UserAsync(locked, Password);
        (await admin.PatchAsync($"/api/v1/users/{lockedId}", new { locked = true })).Expect(200);
        await admin.UserAsync(paused, Password);
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await AttemptAsync(app, paused, "wrong password here");
        }

        var answers = new[]
        {
            await AttemptAsync(app, "nobody@people.test", Password),
            await AttemptAsync(app, known, "wrong password here"),
            await AttemptAsync(app, locked, Password),
            await AttemptAsync(app, paused, Password),
        };

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Unauthorized, answer.Status));
        Assert.Single(answers.Select(answer => answer.Body).Distinct());
    }

    [Theory]
    [InlineData("https://evil.test/")]
    [InlineData("//evil.test/connect/authorize?")]
    [InlineData("/\\evil.test")]
    [InlineData("/connect/authorize.evil?")]
    [InlineData("/connect/logout?x")]
    public async Task The_page_leads_back_to_the_authorization_endpoint_and_nowhere_else(string returnUrl)
    {
        var app = await shared.GetAsync();
        var email = Unique.Email();
        await (await app.AdministratorAsync()).UserAsync(email, Password);
        var browser = new Browser(app);

        await browser.GoAsync($"/signin?returnUrl={Uri.EscapeDataString(returnUrl)}");
        await browser.SubmitAsync(("returnUrl", returnUrl), ("email", email), ("password", Password));

        Assert.Null(browser.Left);
        Assert.Contains("You are signed in", browser.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_person_types_is_shown_back_as_text()
    {
        var app = await shared.GetAsync();
        var (_, body) = await AttemptAsync(app, "\"><script>alert(1)</script>", Password, keepEmail: true);

        Assert.DoesNotContain("<script", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Five_failed_attempts_lock_an_account_out_for_fifteen_minutes()
    {
        var app = await shared.GetAsync();
        var email = Unique.Email();
        var id = await (await app.AdministratorAsync()).UserAsync(email, Password);
        for (var attempt = 0; attempt < 4; attempt++)
        {
            await AttemptAsync(app, email, "wrong password here");
        }

        Assert.Contains("You are signed in", (await AttemptAsync(app, email, Password)).Body, StringComparison.Ordinal); // Which gives the attempts back.
        for (var attempt = 0; attempt < 5; attempt++)
        {
            await AttemptAsync(app, email, "wrong password here");
        }

        Assert.Equal(HttpStatusCode.Unauthorized, (await AttemptAsync(app, email, Password)).Status);
        var until = DateTimeOffset.Parse((await app.SqlAsync($"SELECT to_char(lockout_end AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM users WHERE id = '{id}'"))[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(until - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(14), TimeSpan.FromMinutes(15));

        await app.SqlAsync($"UPDATE users SET lockout_end = now() WHERE id = '{id}'"); // As if the time had passed.
        Assert.Contains("You are signed in", (await AttemptAsync(app, email, Password)).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Guesses_made_at_once_count_as_many()
    {
        var app = await shared.GetAsync();
        var email = Unique.Email();
        var id = await (await app.AdministratorAsync()).UserAsync(email, Password);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => AttemptAsync(app, email, "wrong password here")));

        Assert.Equal(["True"], await app.SqlAsync($"SELECT lockout_end > now() FROM users WHERE id = '{id}'"));
    }

    private static async Task<(HttpStatusCode Status, string Body)> AttemptAsync(IdentityApp app, string email, string password, bool keepEmail = false)
    {
        var browser = new Browser(app);
        await browser.GoAsync("/signin");
        await browser.SignInAsync(email, password);
        var body = TokenPattern().Replace(browser.Body, "");
        return (browser.Status, keepEmail ? body : body.Replace(WebUtility.HtmlEncode(email), "", StringComparison.Ordinal));
    }

    [GeneratedRegex("<style>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex StylePattern();

    [GeneratedRegex("<input type=\"hidden\" name=\"form-token\"[^>]*>")]
    private static partial Regex TokenPattern();
}
