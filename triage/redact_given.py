"""Common given names of the countries our customers write from; words, months and cities are left out on purpose."""

from __future__ import annotations

from typing import Final

_GIVEN: Final = """\
aaron abby abdul abdullah abigail adam adrian adriana adrien agata agathe agnes agnieszka ahmad ahmed aidan aisha
alain alan alana albert alberto aleksander aleksandra alejandra alejandro alena alessandra alessandro alessio alex
alexander alexandra alexandre alexei alexis alfonso alfred alfredo ali alicia alina aline alisa alison allison alma
alvaro álvaro alyssa amalia amanda amelia amelie amélie amina amir amit amy ana anaïs anastasia anders andre andré
andrea andreas andreea andrei andrej andrés andres andrew andrzej andy angela angelica angelika angelina angelo angie
anika anita anja anke ann anna annabelle anne anneliese annette annie anouk anthony antje antoine antoinette anton
antonia antonio antónio antti anush anya arianna ariel arjun armando arne arnaud arnold arthur arturo asha ashley
astrid aurelie aurélie axel ayesha aylin ayse ayşe barbara barry bastian beata beate beatrice beatriz becky ben
benedikt benjamin benny benoit benoît bernadette bernard bernd bernhard bert bertrand bettina betty bianca birgit
björn bob bogdan boris bradley brandon brenda brett brian bridget brigitte britta bruce bruno bryan caitlin caleb
camila camilla camille carina carla carlo carlos carmen carola carole carolin carolina caroline carsten caterina cathy
catherine catia cecile cécile cecilia cedric cédric celia celine céline cesar césar chantal charles charlie charlotte
chen chiara chloe chloé chris christa christelle christian christiane christina christine christoph christophe
christopher cindy claire clara clarissa claudia claudio claus clement clément colin connor conrad constance constantin
cora cordula corinna corinne cornelia craig cristian cristiano cristina curtis cyril cyrille damian damien dana daniel
daniela daniele danielle danny daphne daria dario darren dave david davide dawid deborah debra delphine denis denise
dennis derek detlef diana diane didier diego dieter dietmar dimitri dirk dmitri dmitry dolores dominic dominik
dominique donald donna dora doreen doris dorota dorothea dorothy douglas duarte dylan eberhard edgar edith edmund
eduard eduardo edward edwin eileen elaine elena eleonora eli elias elin elisa elisabeth elise elizabeth elke ella
ellen ellie elodie élodie eloise elsa elvira emanuel emil emile émile emilia emilie émilie emiliano emilio emily emma
emmanuel emmanuelle emre enrico enrique eric erica erich erick erik erika erin erwin esra estelle esteban esther ethan
eugen eugene eugenia eva evan evelyn ewa fabian fabien fabienne fabio fábio fabrice fabrizio farah fatima fátima fatma
federica federico felicia felicitas felipe felix félix ferdinand fernanda fernando filip filipa filipe filippo fiona
flavia flavio florian franca francesca francesco francine francis francisca francisco franck françois francois
françoise francoise frank franz franziska fred freddy frederic frédéric frederick frederik frieda friedrich fritz
gabriel gabriela gabriele gabriella gabrielle gael gaël galina gareth gary gaston gavin geoff geoffrey geoffroy georg
george georges georgina gerald geraldine gérard gerard gerd gerda gerhard gerry giacomo gianluca gilbert gilles gina
gino giorgio giovanna giovanni gisela gisele giulia giuliana giulio giuseppe gloria gonzalo gordon goran grazia greg
gregor gregory grégory greta grzegorz guadalupe guido guillaume guillermo günter günther gunter gustav gustavo gwen
hamza hana hannah hanna hannes hans harald harold harriet harry hartmut harvey hassan heather hector héctor heidi
heike heiko heiner heinrich heinz helen helena hélène helene helga helmut henri henrik henrike henrique henry herbert
hermann hernan hilda hildegard holger horst howard hubert hugh hugo hugues ian ibrahim ida ignacio igor ilaria ilona
ilse imran ina ines inés inês inga inge ingo ingrid inka irena irene irina irma isaac isabel isabela isabell isabella
isabelle isabeau ismael ivan iván ivana ivo iwona jacek jackie jacob jacqueline jacques jaime jakob jakub james jamie
jana jane janet janice janina janine jannik jared jarek jasmin jasmine jason javier jean-claude jean-luc jean-marc
jean-paul jean-pierre jeff jeffrey jelena jenna jennifer jenny jens jeremy jérémy jeroen jerome jérôme jerry jesper
jessica jill jim jimmy joachim joan joana joanna joanne joao joão jochen jodie joe joel joël joelle joerg johan johann
johanna johannes john johnny jon jonas jonathan jorge jörg jörn jose josé josef josefina joseph josephine josh joshua
josip joyce juan juana judith judy jule jules julia julian juliana juliane julie julien juliet julieta juliette julio
júlio julius jürgen jurgen justin justina justine jutta kai karen karim karin karina karl karla karlheinz karsten
kasia katarina katarzyna katharina katherine kathleen kathrin kathryn kathy katia katie katja katrin katrina kay keith
kelly kenneth kenny kerstin kevin khalid kim kirsten kirstin klara klaus konrad konstantin krista kristian kristin
kristina kristine kristof krystyna krzysztof kurt kyle lara larissa larry lars laszlo laura laure laurence laurent
lauren laurie lea léa leah leandro lena leila leo leon león leonard leonardo leonie leopold leslie leticia lilian
liliana lilly lily linda lindsay lisa lise livia logan lola lorena lorenz lorenzo lothar lotte lou louis louisa louise
luc luca lucas lucia lucía lucie lucien lucile luciana luciano lucille lucy ludovic ludwig luigi luis luís luisa luise
luiz lukas lukasz łukasz luke lydia lydie lynn maarten maciej magali magda magdalena magnus maike maja malik manfred
manon manuel manuela mara marc marcel marcela marcelo marcin marco marcos marcus marek margaret margarita margit
margot maria maría mariam marian mariana marianna marianne marie marielle marija marina mario mário marion marisa
marius marjorie marko markus marlene marlies marta martha marthe martin martín martina martine marvin mary maryam
mateo mateus mateusz mathieu mathilde mathias matilda matt matteo matthew matthias matthieu maurice mauricio mauro
maxim maxime maximilian megan mehdi mehmet meike melanie mélanie melinda melissa michael michaela michal michał michel
michele michelle mick miguel mihai mika mike mikael mikhail milena mina mira miranda mireille mirela mirjam mirko
miriam mitchell mohamed mohammad mohammed moira molly mona monica mónica monika monique moritz morten muhammad mustafa
myriam nabil nadia nadine nadja nancy naomi natacha natalia natália natalie natasha nathalie nathan nathaniel neil
nele nelson nicholas nick nicola nicolas nicolás nicole nicoletta niels nigel nikita niklas niko nikola nikolai
nikolaus nils nina noah noel noël noemi noémie nora norbert norma norman nuno octavio odile olaf oleg olga oliver
olivia olivier omar oscar óscar oskar osman oswald otto pablo pamela paola paolo pascal pascale patricia patrícia
patrice patrick patrik patrizia paul paula paulette paulina pauline paulo pavel pawel paweł pedro peggy penelope petra
peter petr philip philipp philippa philippe phillip phil phoebe pia pierre pierrick pilar piotr priya quentin rachel
rachid rafael rafaela rafal rafał raffaele rainer raj rajesh ralf ralph ramona ramón ramon raphael raphaël raul raúl
ravi raymond rebecca regina régine régis reinhard reinhold remi rémi rémy renata renate renato renaud rené rene renee
renée ricardo riccardo richard rick rita robbie robert roberta roberto robin rodolfo rodrigo roger roland rolf romain
romina ron ronald ronja ronny rosa rosalie rosanna rosemarie rosemary ross roswitha roxana roxane roy ruben rubén rudi
rudolf rui rupert ruth ryan sabine sabrina sally salvador salvatore sam samantha samir samira samuel sandra sandrine
sandro sandy sanjay santiago sara sarah sascha saskia scott sean sebastian sebastián sebastiano sebastien sébastien
selina serena serge sergei sergey sergio sérgio severine séverine shane shannon sharon sheila shirley siegfried sigrid
silke silvia sílvia simon simona simone simonetta sofia sofía sofie solange solène sonia sónia sonja sophia sophie
stacey stacy stanislav stanislaw stefan stefania stefanie stefano steffen stella stephan stéphane stephane stephanie
stéphanie stephen steve steven stuart sunita susan susana susanna susanne susi suzanne sven svenja svetlana sylvain
sylvia sylvie sylwia tamara tania tanja tara tatiana tatjana ted teodora teresa terence terry tess thea theo théo
theodor theresa thérèse thibault thierry thilo thomas thorsten tiago tiffany tilman tim timo timothy tina tobias todd
tom tomas tomás tomasz tommaso tommy toni tony torben torsten tracy trevor tristan trudy tyler udo ulf uli ulrich
ulrike umberto ursula ute uwe valentin valentina valentine valeria valerie valérie vanessa vera verena veronica
verónica veronika véronique veronique vicente vicky victor víctor viktor viktoria vincent vincenzo viola violette
virginie viviana vivian viviane vladimir volker walid walter waltraud wanda wendy wenzel werner wilfried wilhelm
willem william wilma winfried wojciech wolfgang xavier yann yannick yara yasmin yolanda youssef yusuf yves yvette
yvonne zara zoe zoé zoltan zuzana
"""
GIVEN: Final = frozenset(_GIVEN.casefold().split())
